//! A tokenizer that is not the model's own but cuts text much alike. Loaded when it is first needed: it takes 30 MB.

use bpe_openai::{Tokenizer as Vocabulary, cl100k_base};
use std::sync::{Arc, OnceLock};

/// One vocabulary, loaded late.
#[derive(Default)]
pub(crate) struct Tokenizer {
    loaded: OnceLock<Loaded>,
    asked: OnceLock<()>,
}

/// A vocabulary in memory.
pub(crate) struct Loaded(&'static Vocabulary);

impl Loaded {
    pub(crate) fn count(&self, text: &str) -> u64 {
        self.0.count(text) as u64
    }
}

impl Tokenizer {
    /// The vocabulary; waits until it is loaded, about 30 milliseconds.
    pub(crate) fn load(&self) -> &Loaded {
        self.loaded.get_or_init(|| Loaded(cl100k_base()))
    }

    /// The vocabulary if it is loaded; if not, it is loaded meanwhile on a thread made for waiting.
    pub(crate) fn ready(self: &Arc<Self>) -> Option<&Loaded> {
        if let Some(loaded) = self.loaded.get() {
            return Some(loaded);
        }
        if self.asked.set(()).is_ok()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let tokenizer = Arc::clone(self);
            drop(runtime.spawn_blocking(move || {
                tokenizer.load();
            }));
        }
        None
    }
}
