//! An address as a QR code, for another device's camera. The picture itself is drawn by the face.

use qrcode::{EcLevel, QrCode};
use serde::Serialize;
use utoipa::ToSchema;

/// The modules of a QR code, without the quiet zone around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QrMatrix {
    /// Modules in a row.
    pub(crate) size: usize,
    /// One text per row; `1` is dark.
    pub(crate) rows: Vec<String>,
}

impl QrMatrix {
    /// `None` when the text is too long for any.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let size = code.width();
        let rows =
            code.to_colors().chunks(size).map(|row| row.iter().map(|color| color.select('1', '0')).collect()).collect();

        Some(Self { size, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_square_and_has_its_three_finders() {
        let qr = QrMatrix::of("https://view.awsapps.com/start/#/device?user_code=ABCD-EFGH").expect("fits");
        assert_eq!(qr.rows.len(), qr.size);
        assert!(qr.rows.iter().all(|row| row.len() == qr.size));
        let finder = |row: usize, column: usize| {
            let lines = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"];
            lines.iter().enumerate().all(|(n, line)| &qr.rows[row + n][column..column + 7] == *line)
        };
        assert!(finder(0, 0) && finder(0, qr.size - 7) && finder(qr.size - 7, 0));
        assert!(!finder(qr.size - 7, qr.size - 7));
        assert_eq!(QrMatrix::of(&"x".repeat(4_000)), None);
    }
}
