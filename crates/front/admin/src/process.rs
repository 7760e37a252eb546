//! Metrics of the process from Linux's `/proc`. Not available on other systems.
#![expect(
    clippy::disallowed_methods,
    reason = "/proc is not part of the broker's data"
)]

use std::fs;

/// Resident memory in bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    resident_of(&status)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// CPU time used so far, in seconds.
pub(crate) fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    processor_of(&stat)
}

fn processor_of(stat: &str) -> Option<f64> {
    /// `USER_HZ`, which is fixed at 100 for this file.
    const TICKS_PER_SECOND: f64 = 100.0;
    // The second field is the name in brackets and may contain spaces, so counting starts after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t   12 kB\n"), Some(12 * 1024));
        assert_eq!(resident_of("Name:\tx\n"), None);
        let stat = "1 (a b) S 0 0 0 0 0 0 0 0 0 0 150 50 0 0";
        assert_eq!(processor_of(stat), Some(2.0));
    }
}
