//! The program `stele` for tests.

use std::path::{Path, PathBuf};

use tokio::{process::Command, sync::OnceCell};

static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();

/// The program that `STELE` names; else the newest one in this build's target directory; else one
/// that is built now, by the cargo that runs this test.
pub async fn program() -> &'static Path {
    PROGRAM.get_or_init(find_or_build).await
}

async fn find_or_build() -> PathBuf {
    if let Some(program) = std::env::var_os("STELE") {
        return program.into();
    }
    let this = std::env::current_exe().expect("a program knows its path");
    let of_profile = of_profile(&this);
    let target = of_profile.parent().expect("a program is in TARGET/PROFILE");
    let mut newest = None;
    for profile in ["release", "debug"] {
        let path = target.join(profile).join("stele");
        if let Ok(metadata) = tokio::fs::metadata(&path).await {
            let modified = metadata.modified().expect("files have times");
            newest = newest.max(Some((modified, path)));
        }
    }
    match newest {
        Some((_, path)) => path,
        None => build(target, of_profile).await,
    }
}

/// TARGET/PROFILE, where cargo puts programs. Those of tests and examples are in directories below.
fn of_profile(program: &Path) -> &Path {
    let directory = program.parent().expect("a program is in a directory");
    match directory.file_name().and_then(|name| name.to_str()) {
        Some("deps" | "examples") => directory.parent().expect("it is in TARGET/PROFILE"),
        _ => directory,
    }
}

/// With `--workspace`, cargo chooses the features as for `cargo test --workspace`, and builds
/// again nothing of what that built.
async fn build(target: &Path, of_profile: &Path) -> PathBuf {
    let profile = match of_profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} is no profile's directory", of_profile.display()),
    };
    let mut command = cargo();
    command.args(["build", "--quiet", "--workspace", "--bin", "stele"]);
    command
        .args(["--profile", profile, "--target-dir"])
        .arg(target);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.."));
    let status = command.status().await.expect("cargo runs");
    assert!(status.success(), "cargo can't build stele: {status}");
    of_profile.join("stele")
}

/// The cargo that runs this test, without the variables that it sets for the test: some build
/// scripts look at them, and then much would be built again.
pub fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        let of_test = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        let name_text = name.to_string_lossy();
        if of_test.iter().any(|prefix| name_text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}
