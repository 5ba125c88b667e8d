//! The system clipboard. On X11 the text lives only as long as the program that offers it, so it is kept open.

use std::sync::Mutex;

#[derive(Default)]
pub(crate) struct Clipboard {
    open: Mutex<Option<arboard::Clipboard>>,
}

impl Clipboard {
    /// Puts `text` on the clipboard. Blocks for some milliseconds; the error is a sentence for a person.
    pub(crate) fn put(&self, text: &str) -> Result<(), String> {
        let mut open = self.open.lock().map_err(|_| "the clipboard broke earlier".to_owned())?;
        if open.is_none() {
            *open = Some(arboard::Clipboard::new().map_err(|error| error.to_string())?);
        }
        let Some(clipboard) = open.as_mut() else { return Ok(()) };
        let put = clipboard.set_text(text);
        if put.is_err() {
            // A lost connection to the display stays lost: the next attempt begins anew.
            *open = None;
        }
        put.map_err(|error| error.to_string())
    }
}
