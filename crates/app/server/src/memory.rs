//! The default memory limit of the process, and what follows from it.

use std::path::{Path, PathBuf};

use anyhow::bail;
use rustix::system::sysinfo;
use stele_app_config::Settings;
use stele_base_env::Disk;

/// The fraction of the machine's memory that the process uses. The rest is for other processes and
/// for the page cache, which serves reads.
const PARTS_OF_MACHINE: u64 = 4;

/// The mount point of the control groups.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// The configured limit, or a fraction of the machine's memory.
pub(crate) fn ceiling_bytes(settings: &Settings, disk: &dyn Disk) -> usize {
    let set = settings.limits.memory.map(|size| size.0);
    let ceiling = set.unwrap_or_else(|| available_bytes(disk) / PARTS_OF_MACHINE);
    usize::try_from(ceiling).unwrap_or(usize::MAX)
}

/// How often a message body is in memory while it is published: as it was read, in its batch, and
/// in a block of the journal.
const COPIES_OF_BODY: usize = 3;

/// The default maximum size of a message body: RabbitMQ's up to 3.13.
const BODY_BYTES_MAX: usize = 128 << 20;

/// The part of memory that a message of the default maximum size has at most: while one is
/// published another may be read, of which there are two copies.
const PARTS_OF_MEMORY: usize = COPIES_OF_BODY + 2;

/// The maximum size of a message body: as configured, which fails if memory can't hold it, or the
/// default, as far as memory holds it.
pub(crate) fn body_bytes_max(settings: &Settings, disk: &dyn Disk) -> anyhow::Result<usize> {
    let ceiling_bytes = ceiling_bytes(settings, disk);
    let Some(chosen) = settings.amqp.body_max else {
        return Ok(BODY_BYTES_MAX.min(ceiling_bytes / PARTS_OF_MEMORY));
    };
    let body_bytes = usize::try_from(chosen.0).unwrap_or(usize::MAX);
    let needed_bytes = body_bytes.saturating_mul(COPIES_OF_BODY);
    if needed_bytes > ceiling_bytes {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        bail!(
            "`amqp.body_max` of {} MiB needs {} MiB of memory, but the limit is {} MiB: raise \
             `limits.memory`, or lower `amqp.body_max`",
            mib(body_bytes),
            mib(needed_bytes),
            ceiling_bytes >> 20,
        );
    }
    Ok(body_bytes)
}

/// The machine's memory, or the limit of the process's control group or one of its parents,
/// whichever is smaller.
fn available_bytes(disk: &dyn Disk) -> u64 {
    let machine = sysinfo();
    // The type of these fields depends on the machine's word size.
    let machine_bytes = u64::from(machine.mem_unit).saturating_mul(machine.totalram as u64);
    let own = read(disk, Path::new("/proc/self/cgroup")).unwrap_or_default();
    control_groups(&own)
        .iter()
        .filter_map(|file| limit_of(&read(disk, file)?))
        .fold(machine_bytes, u64::min)
}

fn read(disk: &dyn Disk, path: &Path) -> Option<String> {
    let bytes = disk.read(path).ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// The limit files of the process's control group and its parents, for both versions of the
/// interface. `own` is the content of `/proc/self/cgroup`.
fn control_groups(own: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => (CONTROL_GROUPS.to_owned(), "memory.max"),
            "memory" => (format!("{CONTROL_GROUPS}/memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // In a container, the path may be that of the host and not exist here: then the root is the
        // process's group.
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(
            path.ancestors()
                .map(|group| Path::new(&root).join(group).join(file)),
        );
    }
    files
}

/// A group without a limit reads `max`, or a number larger than any machine's memory.
fn limit_of(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_all_groups_above_count() {
        let found = control_groups("0::/a/b\n3:cpu:/c\n");
        let expected =
            ["/a/b/", "/a/", "/"].map(|group| format!("/sys/fs/cgroup{group}memory.max"));
        assert_eq!(found, expected.map(PathBuf::from));
        let found = control_groups("4:memory:/c");
        assert_eq!(
            found[0],
            Path::new("/sys/fs/cgroup/memory/c/memory.limit_in_bytes")
        );
    }

    #[test]
    fn a_group_without_a_limit_has_none() {
        assert_eq!(limit_of("max\n"), None);
        assert_eq!(limit_of("1048576\n"), Some(1 << 20));
    }
}
