//! The outer layer of a capture: gzip, zstd or plain, told apart by the first bytes; and its lines.
//!
//! A stream that ends in the middle gives every whole line before the tear, and then an error that
//! names the byte of the file.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::CaptureError;

/// Longest line or message that is read: ten times the largest snapshot seen anywhere.
pub const MAX_LINE: usize = 64 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

type Source<'a> = BufReader<Counted<'a>>;

/// The text inside of a container.
pub struct Text<'a> {
    layer: Layer<'a>,
    line: u64,
    torn: bool,
}

enum Layer<'a> {
    Plain(Source<'a>),
    Gzip(Box<BufReader<MultiGzDecoder<Source<'a>>>>),
    Zstd(Box<BufReader<zstd::stream::read::Decoder<'static, Source<'a>>>>),
}

/// Counts what the layers above took from the file.
struct Counted<'a> {
    head: Cursor<Vec<u8>>,
    rest: Box<dyn Read + 'a>,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = match self.head.read(into)? {
            0 => self.rest.read(into)?,
            n => n,
        };
        self.bytes += n as u64;
        Ok(n)
    }
}

impl<'a> Text<'a> {
    /// Looks at the first bytes and puts the right decoder in front.
    ///
    /// # Errors
    /// [`CaptureError::Read`] when the file cannot be read at all.
    pub fn new(mut input: Box<dyn Read + 'a>) -> Result<Text<'a>, CaptureError> {
        let mut head = Vec::new();
        let failed = |error: io::Error| CaptureError::Read { at: 0, error: error.to_string() };
        input.by_ref().take(4).read_to_end(&mut head).map_err(failed)?;
        let (gzip, zstd) = (head.starts_with(&GZIP), head.starts_with(&ZSTD));
        let source =
            BufReader::with_capacity(1 << 16, Counted { head: Cursor::new(head), rest: input, bytes: 0 });
        let layer = if gzip {
            Layer::Gzip(Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(source))))
        } else if zstd {
            let decoder = zstd::stream::read::Decoder::with_buffer(source).map_err(failed)?;
            Layer::Zstd(Box::new(BufReader::with_capacity(1 << 16, decoder)))
        } else {
            Layer::Plain(source)
        };
        Ok(Text { layer, line: 0, torn: false })
    }

    /// Bytes of the file that were used so far.
    pub fn position(&self) -> u64 {
        let source = match &self.layer {
            Layer::Plain(source) => source,
            Layer::Gzip(text) => text.get_ref().get_ref(),
            Layer::Zstd(text) => text.get_ref().get_ref(),
        };
        source.get_ref().bytes - source.buffer().len() as u64
    }

    /// Lines given out so far.
    pub fn line_number(&self) -> u64 {
        self.line
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match &mut self.layer {
            Layer::Plain(text) => text,
            Layer::Gzip(text) => text.as_mut(),
            Layer::Zstd(text) => text.as_mut(),
        }
    }

    fn error(&self, error: &io::Error) -> CaptureError {
        let what = match (&self.layer, error.kind()) {
            (Layer::Gzip(_), io::ErrorKind::UnexpectedEof) => "the gzip stream is cut short".to_owned(),
            (Layer::Zstd(_), io::ErrorKind::UnexpectedEof) => "the zstd stream is cut short".to_owned(),
            (Layer::Gzip(_), _) => format!("the gzip stream is damaged: {error}"),
            (Layer::Zstd(_), _) => format!("the zstd stream is damaged: {error}"),
            (Layer::Plain(_), _) => error.to_string(),
        };
        CaptureError::Read { at: self.position(), error: what }
    }

    /// The next line into `line`, without its end; false at the end of the text.
    ///
    /// # Errors
    /// [`CaptureError::Read`] once, where the stream tears; the text is at its end after that.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, CaptureError> {
        line.clear();
        if self.torn {
            return Ok(false);
        }
        loop {
            let (used, ended) = match self.reader().fill_buf() {
                Ok([]) => (0, true),
                Ok(bytes) => match bytes.iter().position(|&byte| byte == b'\n') {
                    Some(at) => {
                        line.extend_from_slice(&bytes[..at]);
                        (at + 1, true)
                    }
                    None => {
                        line.extend_from_slice(bytes);
                        (bytes.len(), false)
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // What came of this line is a part of a message: nobody can tell which part.
                    line.clear();
                    self.torn = true;
                    return Err(self.error(&error));
                }
            };
            self.reader().consume(used);
            if line.len() > MAX_LINE {
                line.clear();
                self.torn = true;
                let error = format!("a line of more than {MAX_LINE} bytes");
                return Err(CaptureError::Read { at: self.position(), error });
            }
            if ended {
                if used == 0 && line.is_empty() {
                    return Ok(false);
                }
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.line += 1;
                return Ok(true);
            }
        }
    }

    /// All that is left, at most `limit` bytes, as far as it can be read; and where it tears.
    pub fn rest(&mut self, limit: usize) -> (Vec<u8>, Option<CaptureError>) {
        let mut text = Vec::new();
        while !self.torn {
            let used = match self.reader().fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    text.extend_from_slice(bytes);
                    bytes.len()
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.torn = true;
                    return (text, Some(self.error(&error)));
                }
            };
            self.reader().consume(used);
            if text.len() > limit {
                self.torn = true;
                let error = format!("more than {limit} bytes in one document");
                return (text, Some(CaptureError::Read { at: self.position(), error }));
            }
        }
        (text, None)
    }
}
