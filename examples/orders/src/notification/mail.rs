//! Mails, and how they are sent.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Context;
use stele_toolkit_sql::{Tx, sqlx};

use crate::{
    calls::{Call, Caller, Made},
    messages::{ConfirmationSent, EmailSent, MailKind, SendEmail},
    process::Failed,
    sending::publish,
    topology::NOTIFICATION,
};

const FROM: &str = "shop@shop.example";

/// How long the mail server may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A mail to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mail {
    pub(super) order_id: String,
    pub(super) kind: MailKind,
    pub(super) customer_name: String,
    pub(super) email: String,
    pub(super) text: String,
}

impl Mail {
    /// The same for each mail of this kind for this order.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.order_id, self.kind)
    }

    /// The header `Message-ID`.
    fn message_id(&self) -> String {
        format!("<{}@shop.example>", self.id())
    }
}

impl From<&Mail> for EmailSent {
    fn from(mail: &Mail) -> Self {
        Self {
            order_id: mail.order_id.clone(),
            kind: mail.kind,
            mail_id: mail.message_id(),
        }
    }
}

/// Sends mails through a mail server.
#[derive(Debug)]
pub(super) struct Mailing {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What came of sending a mail.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    Taken,
    /// The server, or the address, is such that it never will be.
    Refused(String),
}

impl Mailing {
    /// Through the server at `HOST:PORT`.
    pub(super) fn new(server: &str) -> Result<Self, Failed> {
        let (host, port) = server.rsplit_once(':').ok_or("not HOST:PORT")?;
        let server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port.parse()?)
            .timeout(Some(TIMEOUT))
            .build();
        let from = Mailbox::new(Some("The shop".to_owned()), FROM.parse()?);
        Ok(Self { server, from })
    }

    fn written(&self, mail: &Mail) -> Result<Message, Failed> {
        let to: Address = mail.email.parse()?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(mail.customer_name.clone()), to))
            .message_id(Some(mail.message_id()))
            .subject(format!("Order {}: {}", mail.order_id, mail.kind))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.clone())?;
        Ok(message)
    }
}

#[async_trait]
impl Caller for Mailing {
    type Outcome = Sent;

    async fn make(&self, call: &Call) -> Made<Sent> {
        let mail: Mail = match call.payload() {
            Ok(mail) => mail,
            Err(error) => return Made::Done(Sent::Refused(error.to_string())),
        };
        let message = match self.written(&mail) {
            Ok(message) => message,
            Err(error) => return Made::Done(Sent::Refused(error.to_string())),
        };
        match self.server.send(message).await {
            Ok(_) => Made::Done(Sent::Taken),
            Err(error) if error.is_permanent() => Made::Done(Sent::Refused(error.to_string())),
            Err(error) => Made::Again(error.to_string()),
        }
    }

    async fn note(&self, tx: &mut Tx, call: &Call, outcome: Sent) -> Result<(), Failed> {
        let state = match &outcome {
            Sent::Taken => "sent",
            Sent::Refused(reason) => {
                tracing::error!(id = call.id, "a mail is refused for good: {reason}");
                "refused"
            }
        };
        let note = sqlx::query("UPDATE mails SET state = $1 WHERE id = $2");
        note.bind(state)
            .bind(call.id.clone())
            .execute(&mut **tx)
            .await?;
        // A customer whose mail is refused gets the parcel all the same.
        let context = Context::new(NOTIFICATION).caused_by(&call.cause);
        let mail: Mail = call.payload()?;
        publish(tx, &context, &EmailSent::from(&mail)).await?;
        if call.cause.is::<SendEmail>() {
            let order_id = mail.order_id;
            publish(tx, &context, &ConfirmationSent { order_id }).await?;
        }
        Ok(())
    }
}
