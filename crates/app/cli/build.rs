//! Sets `BUILD_VERSION` to the version and the commit of the build: `0.1.0 (974ff43c21d0)`, or
//! `0.1.0` if git is missing or the source isn't a clone.
//!
//! Only this crate depends on the commit, so a commit rebuilds no other crate.
#![allow(
    clippy::print_stdout,
    reason = "this is how a build script talks to cargo"
)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Length of the abbreviated commit, enough to be unique.
const DIGITS: &str = "--short=12";

fn main() {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = env::var_os("CARGO_MANIFEST_DIR").and_then(|crate_| commit(Path::new(&crate_)));
    let version = match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=BUILD_VERSION={version}");
    println!("cargo::rerun-if-changed=build.rs");
}

/// The commit of the clone that contains `crate_`. `None` if that clone is another repository that
/// the source was unpacked into.
fn commit(crate_: &Path) -> Option<String> {
    let top = git(crate_, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).join("crates/app/cli") != crate_ {
        return None;
    }
    // Every change of HEAD writes the first file; the second is for clones without a reflog.
    for name in ["logs/HEAD", "HEAD"] {
        let path = git(crate_, &["rev-parse", "--git-path", name]);
        let path = path.map(|path| crate_.join(PathBuf::from(path)));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(crate_, &["rev-parse", DIGITS, "HEAD"])
}

/// The output of git, or `None` if git is missing or fails.
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(directory).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
