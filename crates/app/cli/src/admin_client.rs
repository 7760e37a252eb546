//! Asks a running broker over its admin port. HTTP/1.1 in as much as requests without a body need.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime,
    time::timeout,
};

use crate::{exit::Failure, options::ConfigOptions};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that an answer may hold.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Where the broker is.
#[derive(Args, Debug)]
pub(crate) struct Target {
    #[command(flatten)]
    config: ConfigOptions,
    /// The admin port of the broker to ask [default: admin.host and admin.port]
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    /// Log in as NAME:PASSWORD
    #[arg(
        long,
        value_name = "NAME:PASSWORD",
        env = "STELE_ADMIN_LOGIN",
        hide_env_values = true
    )]
    login: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Target {
    /// The address to ask.
    pub(crate) fn address(&self) -> Result<String, Failure> {
        if let Some(address) = &self.admin {
            return Ok(address.clone());
        }
        let admin = self.config.load()?.settings.admin;
        Ok(format!("{}:{}", admin.host, admin.port))
    }

    /// Gets `path`. A broker that can't be reached is [`Failure::Unavailable`].
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("GET", path)
    }

    /// Asks for `path` by a method without a body.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Result<Answer, Failure> {
        let address = self.address()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let asked = runtime.block_on(async {
            timeout(ANSWER_TIMEOUT, self.exchange(&address, method, path))
                .await
                .map_err(|_| anyhow!("no answer"))?
        });
        let reached = asked.with_context(|| format!("cannot reach a broker at {address}"));
        let answer = reached.map_err(Failure::Unavailable)?;
        parse(&answer).ok_or_else(|| Failure::Failed(anyhow!("{address} doesn't speak HTTP")))
    }

    /// What to do where the broker lets nobody in without a login, or not with this one.
    pub(crate) fn login_advice(&self) -> &'static str {
        match self.login {
            None => {
                "the broker wants a login: pass --login NAME:PASSWORD, or set STELE_ADMIN_LOGIN"
            }
            Some(_) => "the broker refuses the login: no user has that name and that password",
        }
    }

    async fn exchange(&self, address: &str, method: &str, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let login = self.login.as_ref().map_or_else(String::new, |login| {
            format!("authorization: Basic {}\r\n", STANDARD.encode(login))
        });
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{login}connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream
            .take(ANSWER_BYTES_MAX)
            .read_to_string(&mut answer)
            .await?;
        Ok(answer)
    }
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.strip_prefix("HTTP/1.1 ")?.split(' ');
    let status = words.next()?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parse("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nrecovering\n");
        let answer = answer.expect("HTTP");
        assert_eq!((answer.status, answer.body.as_str()), (503, "recovering\n"));
        assert!(parse("AMQP\0\0\u{9}\u{1}").is_none());
    }
}
