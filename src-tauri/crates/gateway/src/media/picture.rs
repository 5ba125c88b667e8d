//! One picture, made to fit: formats the service takes, sides and bytes it takes, the right way up.
//!
//! Promises: what fits is left as it is, byte for byte; what cannot be decoded is told, since a broken picture in the
//! history would fail every later request; a small file that claims to be huge costs no memory.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use std::io::Cursor;

/// More pixels are not decoded; phones make up to 50 million.
const MAX_PIXELS: u64 = 64_000_000;
/// More bytes are not decoded to.
const MAX_DECODED: u64 = 256 * 1024 * 1024;
/// Qualities that are tried before the picture is made smaller.
const QUALITIES: [u8; 3] = [88, 75, 60];
/// Smaller sides are not tried.
const SMALLEST: u32 = 128;

/// How large a picture may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Size {
    /// Longest side in pixels.
    pub(super) edge: u32,
    /// Bytes of the file.
    pub(super) bytes: usize,
}

/// A picture that may be sent.
#[derive(Debug, PartialEq)]
pub(super) enum Fitted {
    /// It fits as it is.
    AsIs {
        /// What the bytes are.
        media_type: &'static str,
    },
    /// It was written anew.
    Rewritten {
        /// What the new bytes are.
        media_type: &'static str,
        /// The new file.
        bytes: Vec<u8>,
        /// What was changed, in words.
        how: String,
    },
}

/// Why a picture cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// The bytes are no picture, or one of another kind.
    #[error("the format is none of PNG, JPEG, GIF, WebP, BMP and TIFF")]
    Format,
    /// Decoding would cost too much.
    #[error("{0} x {1} pixels are more than this gateway decodes")]
    TooLarge(u32, u32),
    /// The file is damaged.
    #[error("the file is damaged and cannot be decoded")]
    Damaged,
    /// Even the smallest form has too many bytes.
    #[error("it cannot be made small enough")]
    Stubborn,
}

/// Makes a picture fit.
pub(super) fn fit(bytes: &[u8], size: Size) -> Result<Fitted, Unusable> {
    let format = image::guess_format(bytes).map_err(|_| Unusable::Format)?;
    let (sent_as, graphic) = match format {
        ImageFormat::Png => (Some("image/png"), true),
        ImageFormat::Jpeg => (Some("image/jpeg"), false),
        ImageFormat::Gif => (Some("image/gif"), true),
        ImageFormat::WebP => (Some("image/webp"), false),
        ImageFormat::Bmp => (None, true),
        ImageFormat::Tiff => (None, false),
        _ => return Err(Unusable::Format),
    };
    let (picture, orientation) = decode(bytes, format)?;
    let (width, height) = (picture.width(), picture.height());
    let upright = orientation == Orientation::NoTransforms;
    if let Some(media_type) = sent_as
        && upright
        && width.max(height) <= size.edge
        && bytes.len() <= size.bytes
    {
        return Ok(Fitted::AsIs { media_type });
    }
    let mut picture = shrink(picture, size.edge);
    picture.apply_orientation(orientation);
    let (media_type, file, (new_width, new_height)) = write(picture, graphic, size).ok_or(Unusable::Stubborn)?;
    let how = format!(
        "{width} x {height} pixels, {} KiB became {new_width} x {new_height} pixels, {} KiB, {media_type}",
        bytes.len().div_ceil(1024),
        file.len().div_ceil(1024)
    );
    Ok(Fitted::Rewritten { media_type, bytes: file, how })
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), Unusable> {
    let damaged = |_| Unusable::Damaged;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED {
        return Err(Unusable::TooLarge(width, height));
    }
    if width == 0 || height == 0 {
        return Err(Unusable::Damaged);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok((picture, orientation))
}

fn shrink(picture: DynamicImage, edge: u32) -> DynamicImage {
    let longest = picture.width().max(picture.height());
    if longest <= edge {
        return picture;
    }
    // A cheap average first: the good filter costs by the pixel it reads.
    let near = if longest / 3 > edge { picture.thumbnail(edge * 2, edge * 2) } else { picture };
    near.resize(edge, edge, FilterType::CatmullRom)
}

type Written = (&'static str, Vec<u8>, (u32, u32));

/// Drawings and screenshots stay sharp as PNG where that is small enough; everything else is a JPEG.
fn write(mut picture: DynamicImage, graphic: bool, size: Size) -> Option<Written> {
    let see_through = picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel[3] < 255);
    loop {
        let sides = (picture.width(), picture.height());
        if (graphic || see_through)
            && let Some(file) = png(&picture, see_through).filter(|file| file.len() <= size.bytes)
        {
            return Some(("image/png", file, sides));
        }
        let flat = flatten(&picture, see_through);
        for quality in QUALITIES {
            let mut file = Vec::new();
            JpegEncoder::new_with_quality(&mut file, quality).encode_image(&flat).ok()?;
            if file.len() <= size.bytes {
                return Some(("image/jpeg", file, sides));
            }
        }
        let edge = sides.0.max(sides.1) / 4 * 3;
        if edge < SMALLEST {
            return None;
        }
        picture = DynamicImage::ImageRgb8(flat).resize(edge, edge, FilterType::CatmullRom);
    }
}

fn png(picture: &DynamicImage, see_through: bool) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, PngFilter::Adaptive);
    let written = if see_through {
        picture.to_rgba8().write_with_encoder(encoder)
    } else {
        picture.to_rgb8().write_with_encoder(encoder)
    };
    written.ok().map(|()| file)
}

/// On white, as a page would show it.
fn flatten(picture: &DynamicImage, see_through: bool) -> RgbImage {
    if !see_through {
        return picture.to_rgb8();
    }
    let rgba = picture.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0;
        let over = |colour: u8| ((u16::from(colour) * u16::from(a) + 255 * (255 - u16::from(a))) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}
