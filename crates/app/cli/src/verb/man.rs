//! `stele man`: the man page, from the same definitions as the help.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::{exit::Failure, options::Arguments};

/// Prints the page of the command, then those of its verbs.
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
