//! Takes over the activity of another process.

use std::{convert::Infallible, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{sleep, timeout};

use super::Activity;
use crate::process::Failed;

/// The time before a process that isn't there is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a process that is there may be silent: longer than the pause between the comments that
/// keep a stream alive, 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// The longest event that is read.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Relays what `URL/activity` tells, for as long as it is polled. Tells whether the process is
/// there.
pub async fn follow(url: &str, activity: &Activity, is_there: impl Fn(bool) + Sync) -> Infallible {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut last = String::new();
    loop {
        let read = read(&client, url, &mut last, activity, &is_there).await;
        is_there(false);
        if let Err(error) = read {
            tracing::debug!(url, %error, "isn't followed for now");
        }
        sleep(PAUSE).await;
    }
}

async fn read(
    client: &Client<HttpConnector, Empty<Bytes>>,
    url: &str,
    last: &mut String,
    activity: &Activity,
    is_there: &(impl Fn(bool) + Sync),
) -> Result<(), Failed> {
    let request = Request::get(format!("{url}/activity")).header("last-event-id", last.as_str());
    let answer = client.request(request.body(Empty::new())?).await?;
    if !answer.status().is_success() {
        return Err(format!("{} from {url}", answer.status()).into());
    }
    is_there(true);
    let mut lines = Lines::new(answer.into_body());
    while let Some(line) = lines.next().await? {
        match line.split_once(": ") {
            Some(("id", id)) => id.clone_into(last),
            // An entry is one line.
            Some(("data", data)) => activity.relay(data),
            _ => {}
        }
    }
    Ok(())
}

/// The lines of a body.
struct Lines {
    body: Incoming,
    read: BytesMut,
}

impl Lines {
    fn new(body: Incoming) -> Self {
        let read = BytesMut::new();
        Self { body, read }
    }

    /// The next line; `None` at the end of the body.
    async fn next(&mut self) -> Result<Option<String>, Failed> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end);
                self.read.advance(1);
                return Ok(Some(String::from_utf8(line.to_vec())?));
            }
            if self.read.len() > EVENT_BYTES_MAX {
                return Err("an event is too long".into());
            }
            match timeout(SILENCE_MAX, self.body.frame()).await? {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }
}
