//! The command line. Help, completions and the man page are generated from these definitions.

use std::{env, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use stele_app_config::{Flag, Inputs, Loaded};

use crate::{exit::Failure, verb};

/// One log, three protocols: a Kafka broker, an AMQP 0-9-1 broker and an Amazon SQS endpoint.
#[derive(Debug, Parser)]
#[command(
    name = "stele",
    version = env!("BUILD_VERSION"),
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the broker
    Serve(verb::serve::Options),
    /// Run a throwaway broker on loopback; its data is deleted on exit
    Dev(verb::dev::Options),
    /// Show the status of a running broker
    Status(verb::status::Options),
    /// Check whether a running broker is ready: exit code 0 if it is, 5 if not
    Health(verb::health::Options),
    /// Change the roles of a queue or topic
    #[command(subcommand)]
    Log(verb::log::Verb),
    /// Start or stop tracing messages
    Trace(verb::trace::Options),
    /// Print or check the configuration
    #[command(subcommand)]
    Config(verb::config::Verb),
    /// Benchmark a running broker over its protocols, or the engine alone
    #[command(subcommand)]
    Bench(verb::bench::Verb),
    /// Inspect a data directory
    #[command(subcommand)]
    Storage(verb::storage::Verb),
    /// Print a shell's completion script
    Completions(verb::completions::Options),
    /// Print the man page
    Man,
}

/// The options of every command that reads the configuration.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigOptions {
    /// Configuration file [default: ./stele.toml or /etc/stele/stele.toml, whichever exists]
    #[arg(short, long, value_name = "FILE", env = "STELE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Set any key, for example kafka.port=0; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Data directory (storage.dir)
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<String>,
    /// Listen on this address for all protocols and the admin port
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// Port for Kafka (kafka.port); 0 picks a free port
    #[arg(long, value_name = "PORT")]
    pub(crate) kafka_port: Option<String>,
    /// Port for AMQP (amqp.port)
    #[arg(long, value_name = "PORT")]
    pub(crate) amqp_port: Option<String>,
    /// Port for SQS (sqs.port)
    #[arg(long, value_name = "PORT")]
    pub(crate) sqs_port: Option<String>,
    /// Port for health, metrics and the admin API (admin.port)
    #[arg(long, value_name = "PORT")]
    pub(crate) admin_port: Option<String>,
    /// Allow unauthenticated listeners on non-loopback addresses (auth.insecure)
    #[arg(long)]
    pub(crate) insecure: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected KEY=VALUE".to_owned())
}

impl ConfigOptions {
    /// Loads the configuration with these flags.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        Ok(stele_app_config::load(&self.inputs())?)
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            file: self.config.clone(),
            files_default: ["stele.toml", "/etc/stele/stele.toml"]
                .map(PathBuf::from)
                .to_vec(),
            variables: env::vars().collect(),
            flags: self.flags(),
        }
    }

    fn flags(&self) -> Vec<Flag> {
        let flag = |path: &str, text: &str, name: &str| Flag {
            path: path.to_owned(),
            text: text.to_owned(),
            name: name.to_owned(),
        };
        let mut flags = Vec::new();
        for front in ["kafka.host", "amqp.host", "sqs.host", "admin.host"] {
            flags.extend(self.host.iter().map(|host| flag(front, host, "--host")));
        }
        let named = [
            ("storage.dir", &self.dir, "--dir"),
            ("kafka.port", &self.kafka_port, "--kafka-port"),
            ("amqp.port", &self.amqp_port, "--amqp-port"),
            ("sqs.port", &self.sqs_port, "--sqs-port"),
            ("admin.port", &self.admin_port, "--admin-port"),
        ];
        for (path, text, name) in named {
            flags.extend(text.iter().map(|text| flag(path, text, name)));
        }
        if self.insecure {
            flags.push(flag("auth.insecure", "true", "--insecure"));
        }
        let set = |(path, text): &(String, String)| flag(path, text, &format!("--set {path}"));
        flags.extend(self.set.iter().map(set));
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Arguments::command().debug_assert();
    }

    /// The configuration rejects unknown `STELE_` variables.
    #[test]
    fn every_variable_of_the_command_is_known_to_the_configuration() {
        fn variables(command: &clap::Command, found: &mut Vec<String>) {
            let own = command.get_arguments().filter_map(|it| it.get_env());
            found.extend(own.map(|it| it.to_string_lossy().into_owned()));
            for verb in command.get_subcommands() {
                variables(verb, found);
            }
        }
        let mut found = Vec::new();
        variables(&Arguments::command(), &mut found);
        for variable in found {
            let known = stele_app_config::COMMAND_VARIABLES;
            assert!(known.contains(&variable.as_str()), "{variable}");
        }
    }

    #[test]
    fn set_comes_after_the_named_flags() {
        let options = ConfigOptions {
            kafka_port: Some("1".to_owned()),
            set: vec![("kafka.port".to_owned(), "2".to_owned())],
            ..ConfigOptions::default()
        };
        let texts: Vec<_> = options.flags().into_iter().map(|flag| flag.text).collect();
        assert_eq!(texts, ["1", "2"]);
    }
}
