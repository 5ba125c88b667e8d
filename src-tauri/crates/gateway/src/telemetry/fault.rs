//! Panics, told by their place. Their message is left out: it can quote the value that surprised us, and that can be a token.

use std::backtrace::Backtrace;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;

/// Makes every panic of this process tell where it happened and nothing of what it says, in the log and on standard error.
/// Once, by the program's `main`: a process has one hook.
pub fn tell_faults_by_place() {
    std::panic::set_hook(hook(|line| {
        tracing::error!("{line}");
        // Nobody is left to be told when this fails too.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }));
}

fn hook(tell: impl Fn(&str) + Send + Sync + 'static) -> Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> {
    Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_else(|| "an unknown place".to_owned());
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        // Only with RUST_BACKTRACE; it names functions, no values.
        let trace = Backtrace::capture();
        tell(&format!("a fault of ours at {place} in thread {thread}; backtrace: {trace}"));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_tells_its_place_and_not_its_message() {
        let told = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&told);
        let before = std::panic::take_hook();
        std::panic::set_hook(hook(move |line| sink.lock().expect("one thread").push_str(line)));
        let secret = format!("planted-{}", "secret");
        let ended = std::panic::catch_unwind(|| {
            let number: Result<u8, String> = secret.parse().map_err(|_| secret.clone());
            number.expect("a number")
        });
        std::panic::set_hook(before);
        assert!(ended.is_err());
        let told = told.lock().expect("one thread").clone();
        assert!(told.contains("fault.rs:"), "{told}");
        assert!(!told.contains("planted-"), "{told}");
    }
}
