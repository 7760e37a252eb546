//! Where things are: a service's database, or a broker.

use std::path::Path;

use clap::Args;
use stele_toolkit_sql::{Db, Options};

use crate::Failure;

/// A service's database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// The service's database: `sqlite:orders.db` or `postgres://…`.
    #[arg(
        long,
        value_name = "URL",
        env = "STELE_TOOLKIT_DATABASE",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// What the names of the toolkit's tables begin with.
    #[arg(long, value_name = "PREFIX", default_value = "stele_")]
    pub prefix: String,
}

impl Database {
    /// Opens it as it is.
    pub(crate) async fn open(&self) -> Result<Db, Failure> {
        let Some(url) = &self.database else {
            let text = "say which database: --database URL, or STELE_TOOLKIT_DATABASE";
            return Err(Failure::Usage(text.to_owned()));
        };
        let file = url.strip_prefix("sqlite:").map(|rest| {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            rest.split('?').next().unwrap_or(rest)
        });
        if let Some(file) = file
            && !Path::new(file).exists()
        {
            return Err(Failure::Missing(format!("there is no file {file}")));
        }
        let options = Options::new().prefix(&self.prefix).as_it_is();
        Ok(options.open(url).await?)
    }
}
