//! Sends requests to the admin port of a running broker: the part of HTTP/1.1 that requests without
//! a body need.

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

/// Timeout for a response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of a response.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Which broker to ask.
#[derive(Args, Debug)]
pub(crate) struct Target {
    #[command(flatten)]
    config: ConfigOptions,
    /// The admin port of the broker to ask [default: admin.host and admin.port]
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    /// Authenticate as NAME:PASSWORD
    #[arg(
        long,
        value_name = "NAME:PASSWORD",
        env = "STELE_ADMIN_LOGIN",
        hide_env_values = true
    )]
    login: Option<String>,
}

/// A response.
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

    /// Gets `path`. Returns [`Failure::Unavailable`] if the broker can't be reached.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("GET", path)
    }

    /// Requests `path` with a method that has no body.
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
        parse(&answer)
            .ok_or_else(|| Failure::Failed(anyhow!("the response of {address} is not HTTP")))
    }

    /// What to do if the broker requires a login, or rejects this one.
    pub(crate) fn login_advice(&self) -> &'static str {
        match self.login {
            None => {
                "the broker requires a login: pass --login NAME:PASSWORD, or set STELE_ADMIN_LOGIN"
            }
            Some(_) => "the broker refuses the login: wrong name or password",
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
