//! Is a text message UTF-8? Market data is ASCII nearly always, so that is asked first, 64 bytes
//! at a time; the library is asked only about the rest.

/// True for UTF-8.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2, as just asked.
        return unsafe { is_ascii_avx2(bytes) };
    }
    is_ascii_scalar(bytes)
}

fn is_ascii_scalar(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let high = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    high & 0x8080_8080_8080_8080 == 0 && rest.iter().all(u8::is_ascii)
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn is_ascii_avx2(bytes: &[u8]) -> bool {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256};
    let Some(last) = bytes.last_chunk::<32>() else { return is_ascii_scalar(bytes) };
    let (chunks, _) = bytes.as_chunks::<64>();
    // The last 64 bytes, or fewer, are looked at apart: they may overlap what was seen already.
    let before = bytes.len().saturating_sub(32);
    let second_last = bytes[..before].last_chunk::<32>().unwrap_or(last);
    let first = bytes.first_chunk::<32>().unwrap_or(last);
    let load = |chunk: &[u8; 32]| -> __m256i {
        // SAFETY: the array is 32 readable bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
    };
    let mut high = _mm256_or_si256(_mm256_or_si256(load(last), load(second_last)), load(first));
    for chunk in chunks {
        let at = chunk.as_ptr().cast::<__m256i>();
        // SAFETY: a chunk is 64 readable bytes: two loads of 32; the loads are unaligned.
        let pair = unsafe { _mm256_or_si256(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))) };
        high = _mm256_or_si256(high, pair);
    }
    _mm256_movemask_epi8(high) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_routine_agrees_with_its_twin_and_the_library() {
        let mut bytes = vec![b'a'; 300];
        for len in 0..bytes.len() {
            assert!(is_ascii(&bytes[..len]) && is_ascii_scalar(&bytes[..len]));
        }
        for at in 0..bytes.len() {
            bytes[at] = 0x80;
            for len in [at, at + 1, 300] {
                assert_eq!(is_ascii(&bytes[..len]), len == at, "byte {at}, length {len}");
                assert_eq!(is_ascii_scalar(&bytes[..len]), len == at);
                assert_eq!(is_utf8(&bytes[..len]), len == at);
            }
            bytes[at] = b'a';
        }
        assert!(is_utf8("ключ ✓".as_bytes()) && !is_utf8(&"✓".as_bytes()[..2]));
    }
}
