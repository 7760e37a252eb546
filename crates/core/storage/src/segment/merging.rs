//! Chooses the small segments that a checkpoint rewrites as one, together with new data.
//!
//! Sizes fall into classes, each eight times the one before. Segments at the end of a partition are
//! merged once there are eight of a class or smaller ones; those of the first class, each of which
//! takes up a disk block, at once. So a byte is written about once per class, which is twice for a
//! partition that gets 4 MiB with each checkpoint; and there are at most seven segments of each
//! class that others could still join.

/// The largest size of the first class.
const TINY_SIZE_BYTES: u64 = 4 << 10;

/// How many segments of one class make one of the next.
const FACTOR: u64 = 8;

/// How many of the last segments, given by `sizes`, are merged with the `new_size_bytes` that
/// follow, within `size_bytes_max`.
pub(crate) fn merged_count(sizes: &[u64], new_size_bytes: u64, size_bytes_max: u64) -> usize {
    let mut merged = 0;
    let mut total = new_size_bytes;
    loop {
        let alike = alike(&sizes[..sizes.len() - merged], total, size_bytes_max);
        if alike.is_empty() {
            return merged;
        }
        merged += alike.len();
        total += alike.iter().sum::<u64>();
    }
}

/// The last segments to merge now with data of `total` bytes.
fn alike(sizes: &[u64], total: u64, size_bytes_max: u64) -> &[u64] {
    let room = size_bytes_max.saturating_sub(total);
    let tiny = last_of(sizes, TINY_SIZE_BYTES, room);
    if !tiny.is_empty() {
        return tiny;
    }
    let no_larger = last_of(sizes, largest_alike(total), room);
    if no_larger.len() as u64 + 1 < FACTOR {
        return &[];
    }
    no_larger
}

/// The last segments, while each is at most `largest` bytes and all together fit in `room`.
fn last_of(sizes: &[u64], largest: u64, mut room: u64) -> &[u64] {
    let mut first = sizes.len();
    while let Some(size) = sizes[..first].last()
        && *size <= largest.min(room)
    {
        room -= size;
        first -= 1;
    }
    &sizes[first..]
}

/// The largest size of the same class.
fn largest_alike(size_bytes: u64) -> u64 {
    let mut largest = TINY_SIZE_BYTES;
    while size_bytes > largest {
        largest = largest.saturating_mul(FACTOR);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 64 << 20;

    /// Checkpoints `size_bytes` so many times; returns the segments, and how much was written.
    fn checkpointed(times: u64, size_bytes: u64) -> (Vec<u64>, u64) {
        let (mut sizes, mut written) = (Vec::new(), 0);
        for _ in 0..times {
            let kept = sizes.len() - merged_count(&sizes, size_bytes, MAX);
            let merged = size_bytes + sizes.drain(kept..).sum::<u64>();
            sizes.push(merged);
            written += merged;
        }
        (sizes, written)
    }

    #[test]
    fn a_little_at_a_time_makes_few_segments_and_is_written_a_few_times() {
        for size_bytes in [
            100,
            1 << 10,
            10 << 10,
            100 << 10,
            1 << 20,
            4 << 20,
            40 << 20,
        ] {
            let (sizes, written) = checkpointed(20_000, size_bytes);
            let total: u64 = sizes.iter().sum();
            assert_eq!(total, 20_000 * size_bytes);
            assert!(sizes.iter().all(|size| *size <= MAX), "{size_bytes}");
            let small = sizes.iter().filter(|size| **size < MAX / FACTOR).count();
            assert!(small <= 35, "{small} of {size_bytes}");
            let large = sizes.len() - small;
            assert!(
                large as u64 <= total / (MAX / FACTOR) + 1,
                "{large} of {size_bytes}"
            );
            let times = written / total;
            // A tiny segment takes up a disk block, however little is in it.
            let most = if size_bytes < 1 << 10 { 25 } else { 6 };
            assert!(times <= most, "{times} times {size_bytes}");
        }
    }

    #[test]
    fn tiny_segments_are_merged_at_once_and_large_ones_left_alone() {
        assert_eq!(merged_count(&[], 1, MAX), 0);
        assert_eq!(merged_count(&[100, 200], 10 << 20, MAX), 2);
        assert_eq!(merged_count(&[MAX, 100], 1, MAX), 1);
        assert_eq!(merged_count(&[60 << 20; 20], 1, MAX), 0);
        assert_eq!(merged_count(&[8 << 10; 6], 8 << 10, MAX), 0);
        assert_eq!(merged_count(&[8 << 10; 7], 8 << 10, MAX), 7);
    }
}
