//! Nonces across restarts: the mark on disk, kept ahead of what is in use from the slow lane.

use std::path::Path;

use super::Failure;
use crate::engine::{Control, Helm};
use crate::host::{Found, NonceFile};
use crate::types::Nanos;

/// Keeps the mark ahead, where the configuration says where states are kept; else nonces follow the
/// clock alone.
pub struct NonceKeeper {
    file: Option<NonceFile>,
    failing: bool,
}

impl NonceKeeper {
    /// Reads the mark of the last run. What is not as it should be is told on stderr.
    ///
    /// # Errors
    /// [`Failure`] names the directory that cannot be read or written.
    pub fn open(folder: Option<&Path>, now: Nanos) -> Result<NonceKeeper, Failure> {
        let Some(folder) = folder else { return Ok(NonceKeeper { file: None, failing: false }) };
        let shown = folder.display();
        let opened = NonceFile::open(folder, now);
        let (file, found) = opened.map_err(|error| {
            Failure::failed(format!("run.state_dir: {shown}: cannot keep the mark of nonces: {error}"))
        })?;
        match found {
            Found::Mark(mark) if mark > file.below_by_clock(now) => eprintln!(
                "xarb: {shown}: nonces are ahead of the clock, which was set back, or was ahead when they were used"
            ),
            Found::Mark(_) => {}
            Found::Nothing => {
                eprintln!("xarb: {shown}: no mark of nonces that were used before: they start by the clock")
            }
            Found::Torn => {
                eprintln!("xarb: {shown}: the mark of nonces is damaged: they start a day ahead of the clock")
            }
        }
        Ok(NonceKeeper { file: Some(file), failing: false })
    }

    /// Where this run's nonces start.
    pub fn from(&self) -> u64 {
        self.file.as_ref().map_or(0, NonceFile::from)
    }

    /// Tells the crew how far it may go: before its first turn.
    pub fn begin(&self, helm: &Helm) {
        if let Some(file) = &self.file {
            helm.tell(Control::NoncesBelow(file.below()));
        }
    }

    /// Sets more aside when it is time, and tells the crew.
    pub fn keep(&mut self, now: Nanos, helm: &Helm) {
        let Some(file) = &mut self.file else { return };
        match file.renew(now) {
            Ok(true) => helm.tell(Control::NoncesBelow(file.below())),
            Ok(false) => {}
            // Tried again at the next turn; said once.
            Err(_) if self.failing => return,
            Err(error) => {
                eprintln!(
                    "xarb: run.state_dir: the mark of nonces cannot be written: {error}; requests that need them will stop"
                );
                self.failing = true;
                return;
            }
        }
        self.failing = false;
    }
}
