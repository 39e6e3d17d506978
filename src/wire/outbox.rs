//! Bytes to be sent. They may hold signatures and tokens, so what was sent is wiped.

use zeroize::Zeroize;

#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    pub fn with_capacity(capacity: usize) -> Outbox {
        Outbox { bytes: Vec::with_capacity(capacity), sent: 0 }
    }

    /// What is to be sent.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The first `count` of them were sent.
    pub fn sent(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.wipe();
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Room for `count` bytes at the end, to be filled at once.
    pub fn extend(&mut self, count: usize) -> &mut [u8] {
        self.make_room(count);
        let at = self.bytes.len();
        self.bytes.resize(at + count, 0);
        &mut self.bytes[at..]
    }

    /// A plain growth would leave an unwiped copy behind.
    fn make_room(&mut self, count: usize) {
        if self.bytes.capacity() - self.bytes.len() < count {
            let mut larger = Vec::with_capacity((self.unsent().len() + count) * 2);
            larger.extend_from_slice(self.unsent());
            self.wipe();
            self.bytes = larger;
        }
    }

    /// Forgets everything, sent or not.
    pub fn wipe(&mut self) {
        self.bytes.as_mut_slice().zeroize();
        self.bytes.clear();
        self.sent = 0;
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.wipe();
    }
}
