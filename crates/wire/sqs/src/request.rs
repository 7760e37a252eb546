//! Requests of every action, from and to both protocols.

use crate::{
    action::Action,
    actions::*,
    error::{Error, ErrorKind},
    form::read_form,
    members::Members,
    tree::{Tree, read_json},
    writer::{FormWriter, JsonWriter, Writer},
};

/// What SQS clients speak: one of two protocols, of which the older one has two forms of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0: `X-Amz-Target: AmazonSQS.SendMessage` and a JSON body. SDKs since 2023.
    Json,
    /// The query protocol: a form with `Action=SendMessage`, answered in XML. Older SDKs, `curl`.
    Query,
    /// The query protocol, answered in JSON: `Accept: application/json`.
    QueryInJson,
}

macro_rules! requests {
    (
        [$($answering:ident($answering_module:ident)),+ $(,)?]
        [$($empty:ident($empty_module:ident)),+ $(,)?]
        $not_offered:tt
    ) => {
        requests!(
            [$($answering($answering_module),)+ $($empty($empty_module)),+] $not_offered
        );
    };
    ([$($name:ident($module:ident)),+] [$($not_offered:ident),+ $(,)?]) => {
        /// A request for an action.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the variants are the names of AWS's reference")]
        pub enum Request {
            $($name($module::Request),)+
            /// An action of AWS that isn't offered here; its members aren't looked at.
            NotOffered(Action),
        }

        impl Request {
            /// The action that is asked for.
            pub fn action(&self) -> Action {
                match self {
                    $(Self::$name(_) => Action::$name,)+
                    Self::NotOffered(action) => *action,
                }
            }

            fn read(action: Action, members: &mut Members) -> Result<Self, Error> {
                match action {
                    $(Action::$name => $module::Request::read(members).map(Self::$name),)+
                    $(Action::$not_offered)|+ => Ok(Self::NotOffered(action)),
                }
            }

            fn write(&self, writer: &mut impl Writer) {
                match self {
                    $(Self::$name(request) => request.write(writer),)+
                    Self::NotOffered(_) => {}
                }
            }
        }
    };
}

crate::each_action!(requests);

/// Reads a request of the JSON protocol: the value of `X-Amz-Target`, the path of the request, in
/// which the queue may be named where the body doesn't, and the body.
pub fn decode_json(target: &str, path: &str, body: &[u8]) -> Result<Request, Error> {
    let action = Action::from_target(target).ok_or_else(|| {
        Error::new(
            ErrorKind::UnknownOperation,
            format!(
                "The operation {} is not valid for this service.",
                shown(target)
            ),
        )
    })?;
    let mut fields = read_json(body)?;
    if !fields.contains_key("QueueUrl") && path.len() > 1 {
        fields.insert("QueueUrl".to_owned(), Tree::Text(path.to_owned()));
    }
    Request::read(action, &mut Members::of_json(fields))
}

/// Reads a request of the query protocol: the path of the request, which may be that of a queue,
/// the query string and the body. A parameter that both give is the body's.
pub fn decode_query(path: &str, query_string: &[u8], body: &[u8]) -> Result<Request, Error> {
    let mut fields = crate::tree::Fields::new();
    read_form(query_string, &mut fields)?;
    read_form(body, &mut fields)?;
    let Some(Tree::Text(name)) = fields.remove("Action") else {
        return Err(Error::new(
            ErrorKind::UnknownOperation,
            "The request must contain the parameter Action.",
        ));
    };
    let action = Action::from_name(&name);
    let action = action.filter(|action| is_valid_at(path, *action));
    let action = action.ok_or_else(|| {
        Error::new(
            ErrorKind::UnknownAction,
            format!(
                "The action {} is not valid for this endpoint.",
                shown(&name)
            ),
        )
    })?;
    if !fields.contains_key("QueueUrl") && path.len() > 1 {
        fields.insert("QueueUrl".to_owned(), Tree::Text(path.to_owned()));
    }
    Request::read(action, &mut Members::of_form(fields))
}

/// Whether an action may be asked for at a path: those that are of no queue aren't at a queue's
/// own, `/ACCOUNT/NAME`.
fn is_valid_at(path: &str, action: Action) -> bool {
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let (name, account) = (segments.next(), segments.next());
    let is_account = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_of_queue = name.is_some() && account.is_some_and(is_account);
    !(is_of_queue && matches!(action, Action::CreateQueue | Action::ListQueues))
}

/// Writes a request as a client of the JSON protocol does: the value of `X-Amz-Target` and the
/// body.
pub fn encode_json(request: &Request) -> (String, Vec<u8>) {
    let mut writer = JsonWriter::new();
    request.write(&mut writer);
    (
        format!("AmazonSQS.{}", request.action()),
        writer.into_bytes(),
    )
}

/// Writes a request as a client of the query protocol does: a form.
pub fn encode_query(request: &Request) -> Vec<u8> {
    let mut writer = FormWriter::new();
    writer.text("Action", request.action().name());
    writer.text("Version", "2012-11-05");
    request.write(&mut writer);
    writer.into_bytes()
}

/// A name from the request as an error message shows it: not endlessly.
fn shown(name: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 80;
    name.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
