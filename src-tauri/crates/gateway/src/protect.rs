//! What keeps secrets inside this process: no memory dumps, and no key left in the environment it was started with. For the
//! programs, before they start any thread.

use std::ffi::OsStr;

/// The vault's key, in base64.
pub const KEY: &str = "KIRO_PROXY_VAULT_KEY";

/// No core file and, on Linux, no reading of our memory by other processes of the same user.
#[cfg(unix)]
pub fn no_dumps() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Windows writes no core files by itself.
#[cfg(not(unix))]
pub fn no_dumps() -> std::io::Result<()> {
    Ok(())
}

/// The vault's key out of the environment, which is then without it.
///
/// A process cannot erase what it was started with: the first page of its stack keeps it, and others can read it there. So
/// the program starts itself anew, without the variable, and hands the key over through a pipe.
#[cfg(unix)]
pub fn take_key(variable: Option<&OsStr>, handed: Option<&OsStr>) -> std::io::Result<Option<String>> {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::process::CommandExt as _;

    let Some(key) = variable.filter(|key| !key.is_empty()) else {
        return handed.map(handed_over).transpose().map(|key| key.filter(|key| !key.is_empty()));
    };
    let (read, write) = rustix::pipe::pipe()?;
    let mut write = std::fs::File::from(write);
    write.write_all(key.as_encoded_bytes())?;
    drop(write);
    rustix::io::fcntl_setfd(&read, rustix::io::FdFlags::empty())?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "kiro-proxy".into());
    // By its own name, which others show; by the kernel's link when the file was replaced by an update.
    let named = std::env::current_exe().ok().filter(|path| path.exists());
    let program = named.unwrap_or_else(|| "/proc/self/exe".into());
    let failed = std::process::Command::new(program)
        .arg0(name)
        .args(arguments)
        .env_remove(KEY)
        .env(HANDED, read.as_raw_fd().to_string())
        .exec();
    Err(failed)
}

/// Which of our descriptors the key waits in.
pub const HANDED: &str = "KIRO_PROXY_VAULT_KEY_FD";

#[cfg(unix)]
fn handed_over(descriptor: &OsStr) -> std::io::Result<String> {
    let number: u32 = descriptor
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("{HANDED} is not a number")))?;
    // A pipe is read once: nobody finds the key there later.
    std::fs::read_to_string(format!("/dev/fd/{number}"))
}

/// Elsewhere the variable stays, readable by the same user only.
#[cfg(not(unix))]
pub fn take_key(variable: Option<&OsStr>, _handed: Option<&OsStr>) -> std::io::Result<Option<String>> {
    Ok(variable.filter(|key| !key.is_empty()).and_then(|key| key.to_str()).map(str::to_owned))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_dumped_no_more() {
        no_dumps().expect("allowed");
        assert_eq!(
            rustix::process::dumpable_behavior().expect("tells"),
            rustix::process::DumpableBehavior::NotDumpable
        );
        let core = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
    }
}
