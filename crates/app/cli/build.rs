//! Tells the program which commit it was built from, as `BUILD_VERSION`: `0.1.0 (974ff43c21d0)`, or
//! `0.1.0` where there is no git or the source isn't a clone.
//!
//! Only this crate is built again after a commit; no other one knows of it.
#![allow(
    clippy::print_stdout,
    reason = "this is how a build script talks to cargo"
)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Digits of the commit that are shown: enough to be the only one.
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

/// The commit of the clone that `crate_` lies in, where it is this repository's and not one that
/// the source was unpacked in.
fn commit(crate_: &Path) -> Option<String> {
    let top = git(crate_, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).join("crates/app/cli") != crate_ {
        return None;
    }
    // Whatever moves HEAD writes the first; the second is for clones that keep no such log.
    for name in ["logs/HEAD", "HEAD"] {
        let path = git(crate_, &["rev-parse", "--git-path", name]);
        let path = path.map(|path| crate_.join(PathBuf::from(path)));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    git(crate_, &["rev-parse", DIGITS, "HEAD"])
}

/// What git answers, if there is one and it does.
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(directory).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
