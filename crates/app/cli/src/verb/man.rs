//! `stele man`: prints the man page, generated from the definitions of the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::{exit::Failure, options::Arguments};

/// Prints the page of `stele`, then those of its commands.
pub(crate) fn run() -> Result<(), Failure> {
    let command = Arguments::command();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands() {
        let name = format!("stele-{}", verb.get_name());
        clap_mangen::Man::new(verb.clone())
            .title(name)
            .render(&mut page)?;
    }
    Ok(io::stdout().write_all(&page)?)
}
