//! `stele storage verify|dump`: inspects a data directory without changing it.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use stele_base_env::{Disk, LocalDisk};
use stele_core_storage as storage;

use crate::{exit::Failure, options::ConfigOptions};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Verify all checksums and that no file is missing; the broker must not be running
    Verify(Verify),
    /// Print the contents of a journal file, segment, index or snapshot
    Dump(Dump),
}

/// `verify`
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    config: ConfigOptions,
}

/// `dump`
#[derive(Args, Debug)]
pub(crate) struct Dump {
    /// The file to print
    file: PathBuf,
}

/// Runs the command.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Verify(verify) => run_verify(&verify),
        Verb::Dump(dump) => run_dump(&dump),
    }
}

fn run_verify(verify: &Verify) -> Result<(), Failure> {
    let directory = verify.config.load()?.settings.storage.dir;
    let mut out = io::stdout().lock();
    let mut written = Ok(());
    let mut report = |finding: storage::Finding| {
        if written.is_ok() {
            written = writeln!(out, "{finding}");
        }
    };
    let verified = storage::verify(Arc::new(LocalDisk), &directory, &mut report)
        .with_context(|| format!("cannot verify {}", directory.display()))?;
    written?;
    writeln!(
        out,
        "{} shards, {} snapshots, {} journal files with {} blocks, {} spares, {} segments: \
         {} batches and {} bytes read, {} damaged",
        verified.shards,
        verified.snapshots,
        verified.journal_files,
        verified.blocks,
        verified.spares,
        verified.segments,
        verified.batches,
        verified.size_bytes,
        verified.damages
    )?;
    if verified.damages > 0 {
        return Err(Failure::Critical(anyhow!(
            "{} is damaged",
            directory.display()
        )));
    }
    Ok(())
}

fn run_dump(dump: &Dump) -> Result<(), Failure> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let mut out = io::stdout().lock();
    let mut written = Ok(());
    let mut line = |text: &str| {
        if written.is_ok() {
            written = writeln!(out, "{text}");
        }
    };
    storage::dump(&disk, &dump.file, &stele_core_broker::WORDS, &mut line)
        .context("cannot dump")?;
    Ok(written?)
}
