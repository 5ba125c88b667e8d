//! Logs: rolling files in the data directory, bounded in size and number, with a second line of defence against secrets.
//!
//! The first line is that nothing logs a secret. Here every line is looked over again for the shapes of keys and tokens.

mod fault;

pub use fault::tell_faults_by_place;

use crate::data_dir::DataDir;
use crate::options::LogChoice;
use crate::settings::{LogLevel, LogSettings};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, filter, fmt, reload};

const FOLDER: &str = "logs";
const NAME: &str = "kiro-proxy.log";

/// Keeps the writer alive and changes the level.
pub(crate) struct Telemetry {
    level: Option<reload::Handle<filter::Targets, Registry>>,
    _files: Option<WorkerGuard>,
}

impl Telemetry {
    /// Installs the process's subscriber. A process has one: a second gateway writes into the first one's logs.
    pub(crate) fn install(choice: LogChoice, dir: &Arc<DataDir>, settings: &LogSettings) -> Self {
        let to_stderr = match choice {
            LogChoice::Off => return Self { level: None, _files: None },
            LogChoice::File => false,
            LogChoice::FileAndStderr => true,
        };
        let (level, handle) = reload::Layer::new(targets(settings.level));
        let files = dir.folder(FOLDER).and_then(|folder| Rolling::open(&folder, settings));
        let (writer, guard) = match files {
            Ok(files) => {
                let (writer, guard) = tracing_appender::non_blocking(files);
                (Some(writer), Some(guard))
            }
            // Logs must not keep a gateway from starting.
            Err(_) => (None, None),
        };
        let file_layer = writer.map(|writer| fmt::layer().with_ansi(false).with_writer(Scrubbed(writer)));
        let stderr_layer = to_stderr.then(|| fmt::layer().with_ansi(false).with_writer(Scrubbed(io::stderr)));
        let both = tracing_subscriber::Layer::and_then(file_layer, stderr_layer).with_filter(level);
        match tracing::subscriber::set_global_default(Registry::default().with(both)) {
            Ok(()) => Self { level: Some(handle), _files: guard },
            Err(_) => Self { level: None, _files: None },
        }
    }

    /// Follows the setting.
    pub(crate) fn set_level(&self, level: LogLevel) {
        if let Some(handle) = &self.level {
            let _ = handle.reload(targets(level));
        }
    }
}

/// Our own crates at the level asked for; libraries never below warnings, so that no library logs what we would not.
fn targets(level: LogLevel) -> filter::Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    filter::Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("kiro", level)
}

/// A file that is moved aside when it is full.
struct Rolling {
    folder: PathBuf,
    file: File,
    size: u64,
    most: u64,
    keep: u32,
}

impl Rolling {
    fn open(folder: &Path, settings: &LogSettings) -> io::Result<Self> {
        let (file, size) = append(&folder.join(NAME))?;
        let most = u64::from(settings.max_file_mebibytes) * 1024 * 1024;
        Ok(Self { folder: folder.to_path_buf(), file, size, most, keep: settings.max_files })
    }

    #[expect(clippy::disallowed_methods, reason = "log files may be lost; they are not worth a sync")]
    fn roll(&mut self) -> io::Result<()> {
        let numbered = |n: u32| self.folder.join(format!("{NAME}.{n}"));
        for n in (1..self.keep.saturating_sub(1)).rev() {
            let _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        let current = self.folder.join(NAME);
        if self.keep > 1 {
            std::fs::rename(&current, numbered(1))?;
        } else {
            std::fs::remove_file(&current)?;
        }
        (self.file, self.size) = append(&current)?;
        Ok(())
    }
}

impl Write for Rolling {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.most {
            self.roll()?;
        }
        let written = self.file.write(line)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(io::Error::other("the log file is a symbolic link"));
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Looks every line over before it is written.
#[derive(Clone)]
struct Scrubbed<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Scrubbed<M> {
    type Writer = Scrub<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Scrub(self.0.make_writer())
    }
}

struct Scrub<W>(W);

impl<W: Write> Write for Scrub<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(scrub(text).as_bytes())?,
            Err(_) => self.0.write_all(b"(a line that is no text)\n")?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Beginnings of the secrets we handle: our keys, Kiro's keys, its access and refresh tokens, JSON web tokens.
const MARKS: [&str; 5] = ["kp-", "ksk_", "aoa", "aor", "eyJ"];
/// Shorter words are names, not secrets.
const SECRET_LENGTH: usize = 20;

/// Replaces everything that has the shape of a secret.
pub(crate) fn scrub(line: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=');
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_token) {
        let (before, word) = rest.split_at(start);
        clean.push_str(before);
        let end = word.find(|c| !is_token(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        // `key=secret` is one word of token characters; a control character of an escape sequence may stick to its front.
        let value = MARKS.iter().filter_map(|mark| word.find(mark)).min();
        match value {
            Some(at)
                if word.len() - at >= SECRET_LENGTH && !word[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) =>
            {
                clean.push_str(&word[..at]);
                clean.push_str("[secret]");
            }
            Some(_) | None => clean.push_str(word),
        }
        rest = after;
    }
    clean.push_str(rest);
    clean.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_secrets_do_not_reach_the_log() {
        for secret in [
            "kp-0123456789abcdefghijABCDEFGHIJ0123456789abc",
            "ksk_0123456789abcdefghij",
            "aoaAAAAAGk0123456789abcdef:MGQ",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        ] {
            for line in [format!("a {secret} b"), format!("key={secret}\n"), format!("{{\"t\":\"{secret}\"}}")] {
                let clean = scrub(&line);
                assert!(!clean.contains(&secret[4..18]), "{clean}");
                assert!(clean.contains("[secret]"), "{clean}");
            }
        }
    }

    #[test]
    fn ordinary_lines_stay_as_they_are_and_escape_sequences_do_not() {
        let line = "2026-11-25T20:00:00Z INFO kiro_gateway: complete request=0123456789abcdef account=a-b-c ms=12\n";
        assert_eq!(scrub(line), line);
        assert!(!scrub("evil \u{1b}[2J").contains('\u{1b}'));
    }

    #[test]
    fn log_files_are_bounded_in_size_and_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = LogSettings { max_file_mebibytes: 1, max_files: 3, ..LogSettings::default() };
        let mut log = Rolling::open(folder.path(), &settings).expect("opened");
        let line = [b'x'; 64 * 1024];
        for _ in 0..100 {
            log.write_all(&line).expect("written");
        }
        let sizes: Vec<u64> = std::fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 1024 * 1024), "{sizes:?}");
    }
}
