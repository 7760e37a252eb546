//! Which partition a stream is in: Kafka's default for keyed records, so that commands with the
//! aggregate's id as their key go the same way.

/// The partition of a key: 32-bit Murmur2 with Kafka's seed, without its sign, modulo the number
/// of partitions (`Utils.murmur2` and `Utils.toPositive` of Kafka's Java client).
pub(super) fn of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2 by Austin Appleby, which is in the public domain.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    let mut hash = words.by_ref().fold(SEED ^ length, |hash, word| {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        hash.wrapping_mul(M) ^ k.wrapping_mul(M)
    });
    let rest = words.remainder();
    if !rest.is_empty() {
        let bytes = rest.iter().zip([0, 8, 16]);
        hash ^= bytes.fold(0, |word, (byte, shift)| word | u32::from(*byte) << shift);
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `UtilsTest.testMurmur2` of Kafka's Java client.
    #[test]
    fn hashes_are_those_of_kafkas_client() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key).cast_signed(), hash, "{key:?}");
        }
    }

    #[test]
    fn every_partition_is_used() {
        let mut used = [false; 6];
        for number in 0..100 {
            let at = of(format!("order-{number}").as_bytes(), 6) as usize;
            used[at] = true;
        }
        assert_eq!(used, [true; 6]);
    }
}
