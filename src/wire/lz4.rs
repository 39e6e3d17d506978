//! An LZ4 frame decoded in place. The crate's own decoder reads by small pieces through a buffer of its
//! own, keeps a copy of what it gave as history, and hashes every byte of it; a container's chunk lies
//! whole in memory, is its own history, and has a checksum of its own already.

use std::io;

use ::lz4::liblz4::{
    LZ4F_VERSION, LZ4F_createDecompressionContext, LZ4F_decompress, LZ4F_freeDecompressionContext,
    LZ4F_resetDecompressionContext, LZ4FDecompressOptions, LZ4FDecompressionContext, check_error,
};

/// A decoder's memory, for one frame after the other.
pub struct FrameDecoder {
    context: LZ4FDecompressionContext,
}

// SAFETY: the context is memory that the library took for us and that nothing else knows of; it is not
// bound to a thread.
unsafe impl Send for FrameDecoder {}

impl FrameDecoder {
    /// A decoder.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new() -> io::Result<FrameDecoder> {
        let mut context = LZ4FDecompressionContext(std::ptr::null_mut());
        // SAFETY: the library writes a context of its own to the place that it is given.
        check_error(unsafe { LZ4F_createDecompressionContext(&mut context, LZ4F_VERSION) })?;
        Ok(FrameDecoder { context })
    }

    /// Decodes a frame, or as many blocks of it as are whole: how many bytes of `into` were filled.
    /// With `hashed`, the frame's own checksum over what comes out must match.
    pub fn decode(&mut self, packed: &[u8], into: &mut [u8], hashed: bool) -> (usize, io::Result<()>) {
        // SAFETY: `context` was made by the library and lives as long as we do. Whatever the last frame
        // came to, it begins anew.
        unsafe { LZ4F_resetDecompressionContext(self.context) };
        // What was decoded stays where it is until the frame ends. The library calls the first of the
        // reserved words `skipChecksums`.
        let options = LZ4FDecompressOptions { stable_dst: 1, reserved: [u32::from(!hashed), 0, 0] };
        let (mut taken, mut filled) = (0, 0);
        loop {
            let (from, to) = (&packed[taken..], &mut into[filled..]);
            let (mut read, mut written) = (from.len(), to.len());
            // SAFETY: the library reads at most `read` bytes of `from` and writes at most `written`
            // bytes to `to`, which are their lengths; both are borrowed for the call. What it reads
            // again of what it wrote in earlier calls is in front of `to`, in the same buffer.
            let hint = check_error(unsafe {
                LZ4F_decompress(
                    self.context,
                    to.as_mut_ptr(),
                    &mut written,
                    from.as_ptr(),
                    &mut read,
                    &options,
                )
            });
            (taken, filled) = (taken + read, filled + written);
            match hint {
                Err(error) => return (filled, Err(error)),
                Ok(0) => return (filled, Ok(())),
                Ok(_) if read == 0 && written == 0 => {
                    let what = if taken < packed.len() {
                        "more bytes than its head says"
                    } else {
                        "a frame without its end"
                    };
                    return (filled, Err(io::Error::other(what)));
                }
                Ok(_) => {}
            }
        }
    }
}

impl Drop for FrameDecoder {
    fn drop(&mut self) {
        // SAFETY: made by the library, and not used any more.
        unsafe { LZ4F_freeDecompressionContext(self.context) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Texts that repeat over several blocks, so that blocks lean on those before them.
    fn text() -> Vec<u8> {
        (0..40_000u32).flat_map(|i| format!("{{\"u\":{},\"s\":\"BTCUSDT\"}}", i * i).into_bytes()).collect()
    }

    fn frame(text: &[u8]) -> Vec<u8> {
        let mut encoder = ::lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
        encoder.write_all(text).unwrap();
        encoder.finish().0
    }

    #[test]
    fn frames_are_decoded_one_after_the_other() {
        let (text, mut decoder) = (text(), FrameDecoder::new().unwrap());
        for len in [text.len(), 0, 100, text.len() / 2] {
            let packed = frame(&text[..len]);
            for hashed in [false, true] {
                let mut into = vec![0; len];
                let (filled, outcome) = decoder.decode(&packed, &mut into, hashed);
                assert!(outcome.is_ok() && filled == len && into == text[..len], "{len} {outcome:?}");
            }
        }
    }

    #[test]
    fn what_is_no_whole_frame_is_told_and_what_came_before_is_there() {
        let (text, mut decoder) = (text(), FrameDecoder::new().unwrap());
        let packed = frame(&text);
        let mut into = vec![0; text.len()];
        for cut in (0..packed.len()).step_by(997).chain(packed.len() - 20..packed.len()) {
            let (filled, outcome) = decoder.decode(&packed[..cut], &mut into, true);
            assert!(outcome.is_err() && into[..filled] == text[..filled], "cut at {cut}");
        }
        let (filled, outcome) = decoder.decode(&packed, &mut into[..70_000], false);
        assert!(outcome.is_err() && filled == 70_000, "a frame of more than there is room for");
        let mut wrong = packed.clone();
        *wrong.last_mut().unwrap() ^= 1;
        assert!(decoder.decode(&wrong, &mut into, true).1.is_err(), "the checksum differs");
        assert!(decoder.decode(&wrong, &mut into, false).1.is_ok());
    }
}
