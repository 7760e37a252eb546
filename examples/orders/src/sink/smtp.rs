//! The part of SMTP that a mail program needs to hand over a mail.

use std::{io, sync::Arc};

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::TcpListener,
};

use super::{Mails, Received};
use crate::process::Failed;

/// The longest line, RFC 5321 section 4.5.3.1.6, with room for what isn't as strict.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The largest mail.
const MAIL_BYTES_MAX: usize = 16 << 20;

pub(super) async fn serve(listener: TcpListener, mails: Arc<Mails>) -> Result<(), Failed> {
    loop {
        let (mut socket, _) = listener.accept().await?;
        let mails = Arc::clone(&mails);
        tokio::spawn(async move {
            let (read, write) = socket.split();
            if let Err(error) = session(BufReader::new(read), write, &mails).await {
                tracing::debug!(%error, "a mail program went away");
            }
        });
    }
}

/// What was said of a mail before its data.
#[derive(Default)]
struct Head {
    from: String,
    to: Vec<String>,
}

async fn session<R, W>(mut read: BufReader<R>, mut write: W, mails: &Mails) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut head = Head::default();
    write.write_all(b"220 sink\r\n").await?;
    while let Some(line) = line(&mut read).await? {
        let text = String::from_utf8_lossy(&line).into_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => "250 sink",
            "MAIL" => {
                head = Head::default();
                head.from = address(rest);
                "250 OK"
            }
            "RCPT" => {
                head.to.push(address(rest));
                "250 OK"
            }
            "DATA" if head.to.is_empty() => "503 no recipient",
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let data = data(&mut read).await?;
                take(mails, std::mem::take(&mut head), &data)
            }
            "RSET" => {
                head = Head::default();
                "250 OK"
            }
            "NOOP" => "250 OK",
            "QUIT" => return write.write_all(b"221 bye\r\n").await,
            _ => "500 not known here",
        };
        write.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn take(mails: &Mails, head: Head, data: &[u8]) -> &'static str {
    if mails.is_busy() {
        return "451 busy, try again later";
    }
    let data = String::from_utf8_lossy(data).into_owned();
    mails.received().push(Received {
        from: head.from,
        to: head.to,
        message_id: header(&data, "message-id"),
        subject: header(&data, "subject"),
        data,
    });
    "250 OK"
}

/// A line without its end; `None` at the end of the connection.
async fn line<R: AsyncRead + Unpin>(read: &mut BufReader<R>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let count = read
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    if count == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::other("a line is too long or cut off"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

/// The data of a mail, up to the line with a dot alone. A dot before a dot is taken away.
async fn data<R: AsyncRead + Unpin>(read: &mut BufReader<R>) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    while let Some(line) = line(read).await? {
        if line == b"." {
            return Ok(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        data.push(b'\n');
        if data.len() > MAIL_BYTES_MAX {
            return Err(io::Error::other("a mail is too large"));
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// The address of `FROM:<shop@shop.example> SIZE=100`.
fn address(text: &str) -> String {
    let inner = text
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(text, |(address, _)| address).to_owned()
}

/// A header of a mail, its folded lines as one.
fn header(data: &str, name: &str) -> String {
    let mut lines = data.lines().take_while(|line| !line.is_empty());
    let mut found = String::new();
    let is_it = |line: &&str| {
        let head = line.split_once(':').map(|(head, _)| head);
        head.is_some_and(|head| head.eq_ignore_ascii_case(name))
    };
    if let Some(first) = lines.by_ref().find(is_it) {
        found.push_str(first.split_once(':').map_or("", |(_, value)| value).trim());
        for folded in lines.take_while(|line| line.starts_with([' ', '\t'])) {
            found.push_str(folded);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_is_taken_with_its_headers_and_dots() {
        let talk = b"EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n\
            Message-ID: <1@x>\r\nSubject: long\r\n  lines\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
        let mails = Mails::default();
        let mut replies = Vec::new();
        session(BufReader::new(&talk[..]), &mut replies, &mails)
            .await
            .unwrap();
        let received = mails.received().clone();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].to, ["b@y.example"]);
        assert_eq!(received[0].message_id, "<1@x>");
        assert_eq!(received[0].subject, "long  lines");
        assert!(received[0].data.ends_with("\n.dot\n"));
        assert!(replies.ends_with(b"221 bye\r\n"));
    }

    #[tokio::test]
    async fn every_so_manieth_mail_is_refused_for_now() {
        let one = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n\r\n.\r\n";
        let mails = Mails {
            busy_every: 2,
            ..Mails::default()
        };
        let mut replies = Vec::new();
        session(BufReader::new(&one.repeat(2)[..]), &mut replies, &mails)
            .await
            .unwrap();
        assert_eq!(mails.received().len(), 1);
        assert!(replies.ends_with(b"451 busy, try again later\r\n"));
    }
}
