//! Writing a container: messages go into chunks of bounded size, each written whole.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use ::mcap::records::{MessageHeader, Metadata};
use ::mcap::{McapError, WriteOptions, Writer};

use super::super::record::{RecordKind, View};
use super::meta::StoreMeta;
use super::{CONNECTION, KINDS, VENUE, has_head, kind_word};

/// How chunks are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// Fast to read back: the default.
    #[default]
    Lz4,
    /// Small.
    Zstd,
    /// Not at all.
    None,
}

/// How a container is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreOptions {
    /// How chunks are compressed.
    pub compression: Compression,
    /// A chunk ends once it holds this many bytes of messages.
    pub chunk_bytes: u64,
}

impl Default for StoreOptions {
    /// Chunks that fit into a core's cache beside the books.
    fn default() -> StoreOptions {
        StoreOptions { compression: Compression::Lz4, chunk_bytes: 512 << 10 }
    }
}

/// Why a container cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file, or what MCAP can hold.
    #[error("cannot write the container: {0}")]
    Mcap(#[from] McapError),
    /// A time before 1970.
    #[error("cannot write the container: a receive time of {0} ns, before the epoch")]
    Time(i64),
}

/// A container being written.
pub struct StoreWriter<W: Write + Seek> {
    out: Writer<W>,
    schemas: [u16; KINDS.len()],
    connections: Vec<Connection>,
    /// Where a message that needs a head is put together.
    whole: Vec<u8>,
    messages: u64,
    /// Bytes of messages since the last [`StoreWriter::flush`].
    pending: u64,
}

/// A connection with its channels, one a kind, made when first needed: number, and messages so far.
struct Connection {
    venue: String,
    name: String,
    channels: [Option<(u16, u32)>; KINDS.len()],
}

impl<W: Write + Seek> StoreWriter<W> {
    /// Begins a container with its metadata.
    ///
    /// # Errors
    /// [`StoreError`] when nothing can be written.
    pub fn new(out: W, options: StoreOptions, meta: &StoreMeta) -> Result<StoreWriter<W>, StoreError> {
        let compression = match options.compression {
            Compression::Lz4 => Some(::mcap::Compression::Lz4),
            Compression::Zstd => Some(::mcap::Compression::Zstd),
            Compression::None => None,
        };
        let mut out = WriteOptions::new()
            .profile("xarb")
            .library(concat!("xarb ", env!("CARGO_PKG_VERSION")))
            .compression(compression)
            .compression_threads(0)
            .chunk_size(Some(options.chunk_bytes))
            // A chunk is made in memory and written whole: what a crash leaves on disk is never a
            // chunk whose length is not known yet.
            .disable_seeking(true)
            .create(out)?;
        for (name, metadata) in meta.records() {
            out.write_metadata(&Metadata { name: name.to_owned(), metadata })?;
        }
        let mut schemas = [0; KINDS.len()];
        for (schema, (_, word)) in schemas.iter_mut().zip(KINDS) {
            *schema = out.add_schema(&format!("xarb.{word}"), "", b"")?;
        }
        Ok(StoreWriter { out, schemas, connections: Vec::new(), whole: Vec::new(), messages: 0, pending: 0 })
    }

    /// The number of a venue's connection: made now if it is the first time.
    pub fn connection(&mut self, venue: &str, name: &str) -> usize {
        let known = self.connections.iter().position(|known| known.venue == venue && known.name == name);
        known.unwrap_or_else(|| {
            let (venue, name) = (venue.to_owned(), name.to_owned());
            self.connections.push(Connection { venue, name, channels: [None; KINDS.len()] });
            self.connections.len() - 1
        })
    }

    /// Writes one message of a connection; of `view`, the connection's own names and number, and the
    /// line, are of no interest.
    ///
    /// # Errors
    /// [`StoreError`]; the container ends with the last whole chunk then.
    pub fn write(&mut self, connection: usize, view: &View<'_>) -> Result<(), StoreError> {
        let time = view.ts.unwrap_or_default().0;
        let time = u64::try_from(time).map_err(|_| StoreError::Time(time))?;
        let (channel_id, sequence) = self.channel(connection, view.kind)?;
        let header = MessageHeader { channel_id, sequence, log_time: time, publish_time: time };
        let message = view.message.message();
        let data = if has_head(view.kind) {
            self.whole.clear();
            if view.kind == RecordKind::HttpAnswer {
                self.whole.extend_from_slice(view.status.to_string().as_bytes());
                self.whole.push(b' ');
            }
            self.whole.extend_from_slice(view.url.as_bytes());
            self.whole.push(b'\n');
            self.whole.extend_from_slice(message);
            &self.whole
        } else {
            message
        };
        self.out.write_to_known_channel(&header, data)?;
        self.messages += 1;
        self.pending += data.len() as u64;
        Ok(())
    }

    /// The channel of a connection and kind, and the number of its next message.
    fn channel(&mut self, connection: usize, kind: RecordKind) -> Result<(u16, u32), StoreError> {
        let (at, word) = kind_word(kind);
        let own = &mut self.connections[connection];
        if let Some((channel, next)) = &mut own.channels[at] {
            *next = next.wrapping_add(1);
            return Ok((*channel, *next));
        }
        let topic = format!("{}/{}/{word}", own.venue, own.name);
        let metadata: BTreeMap<String, String> = [(VENUE, &own.venue), (CONNECTION, &own.name)]
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .into();
        let encoding = match kind {
            RecordKind::Text => "json",
            _ => "",
        };
        let channel = self.out.add_channel(self.schemas[at], &topic, encoding, &metadata)?;
        own.channels[at] = Some((channel, 0));
        Ok((channel, 0))
    }

    /// Says how many messages were lost so far.
    ///
    /// # Errors
    /// As [`StoreWriter::write`].
    pub fn dropped(&mut self, dropped: u64) -> Result<(), StoreError> {
        let metadata = [("dropped".to_owned(), dropped.to_string())].into();
        self.out.write_metadata(&Metadata { name: "xarb.integrity".to_owned(), metadata })?;
        Ok(())
    }

    /// Says what the journal of the run came to, in hex.
    ///
    /// # Errors
    /// As [`StoreWriter::write`].
    pub fn journal(&mut self, sha256: &str) -> Result<(), StoreError> {
        let metadata = [("sha256".to_owned(), sha256.to_owned())].into();
        self.out.write_metadata(&Metadata { name: "xarb.journal".to_owned(), metadata })?;
        Ok(())
    }

    /// Says what is known of a venue or an instrument by now.
    ///
    /// # Errors
    /// As [`StoreWriter::write`].
    pub fn say(&mut self, meta: &StoreMeta) -> Result<(), StoreError> {
        for (name, metadata) in meta.records() {
            self.out.write_metadata(&Metadata { name: name.to_owned(), metadata })?;
        }
        Ok(())
    }

    /// Ends the chunk at hand and hands it to the system.
    ///
    /// # Errors
    /// As [`StoreWriter::write`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending > 0 {
            self.out.flush()?;
            self.pending = 0;
        }
        Ok(())
    }

    /// Messages written so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Ends the container with its summary and index, and gives the file back.
    ///
    /// # Errors
    /// As [`StoreWriter::write`].
    pub fn finish(mut self) -> Result<W, StoreError> {
        self.out.finish()?;
        Ok(self.out.into_inner())
    }
}
