//! Ctrl-C.

use std::io;
use std::sync::OnceLock;

static HANDLER: OnceLock<fn() -> bool> = OnceLock::new();

/// Calls `seen` at each Ctrl-C; when it answers true, for the second one, the process ends at once.
/// Only the first handler of a process counts. `seen` runs inside a signal: it may set atomics and
/// nothing else.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub fn on_interrupt(seen: fn() -> bool) -> io::Result<()> {
    extern "C" fn handle(_: libc::c_int) {
        if HANDLER.get().is_some_and(|seen| seen()) {
            // SAFETY: `_exit` may be called inside a signal handler, and touches nothing of ours.
            unsafe { libc::_exit(130) };
        }
    }
    let _ = HANDLER.set(seen);
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler is a function of the right type that lives for ever, and calls only what
    // is allowed inside a signal: an atomic swap and `_exit`.
    let set = unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    if set == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Where there are no signals, Ctrl-C ends the process as it always does.
#[cfg(not(unix))]
pub fn on_interrupt(seen: fn() -> bool) -> io::Result<()> {
    let _ = HANDLER.set(seen);
    Ok(())
}
