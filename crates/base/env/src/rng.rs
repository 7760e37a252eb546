//! Randomness, for ids, receipt handles and jitter.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

/// A source of randomness.
pub trait Rng: Send {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);

    /// 64 random bits.
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// A source shared by several users.
#[derive(Clone)]
pub struct SharedRng(Arc<Mutex<Box<dyn Rng>>>);

impl SharedRng {
    /// Shares `rng`.
    pub fn new(rng: Box<dyn Rng>) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }

    /// 128 random bits: a unique id that can't be guessed.
    pub fn id(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        // A panic while filling leaves a usable source.
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rng.fill(&mut bytes);
        bytes
    }
}

impl fmt::Debug for SharedRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedRng")
    }
}

/// How much is read from the kernel at once, so that an id costs a copy, not a system call.
const BUFFER_SIZE_BYTES: usize = 1024;

/// The kernel's random source, suitable for secrets.
pub struct OsRng {
    source: File,
    buffer: [u8; BUFFER_SIZE_BYTES],
    /// The start of the unused part of the buffer.
    used: usize,
}

impl OsRng {
    /// Opens the source. Fails if the system has no `/dev/urandom`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a device, not one of the broker's files"
    )]
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            source: File::open("/dev/urandom")?,
            buffer: [0; BUFFER_SIZE_BYTES],
            used: BUFFER_SIZE_BYTES,
        })
    }

    fn refill(&mut self) {
        self.source
            .read_exact(&mut self.buffer)
            .expect("the kernel's random source never ends and never fails once open");
        self.used = 0;
    }
}

impl Rng for OsRng {
    fn fill(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.used == BUFFER_SIZE_BYTES {
                self.refill();
            }
            let count = rest.len().min(BUFFER_SIZE_BYTES - self.used);
            let (filled, after) = rest.split_at_mut(count);
            let taken = &mut self.buffer[self.used..self.used + count];
            filled.copy_from_slice(taken);
            // Used bytes are erased, so that memory doesn't reveal past secrets.
            taken.fill(0);
            self.used += count;
            rest = after;
        }
    }
}

impl fmt::Debug for OsRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The buffer holds future secrets.
        f.debug_struct("OsRng").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_fills_leave_nothing_out() {
        let mut rng = OsRng::new().unwrap();
        let mut long = vec![0; 3 * BUFFER_SIZE_BYTES];
        rng.fill(&mut long[..7]);
        rng.fill(&mut long[7..]);
        let zeroes = bytes_equal_to_zero(&long);
        assert!(
            zeroes < 64,
            "{zeroes} of {} random bytes are zero",
            long.len()
        );
    }

    #[test]
    fn numbers_differ() {
        let mut rng = OsRng::new().unwrap();
        assert_ne!(rng.next_u64(), rng.next_u64());
    }

    fn bytes_equal_to_zero(bytes: &[u8]) -> usize {
        bytes.split(|byte| *byte == 0).count() - 1
    }
}
