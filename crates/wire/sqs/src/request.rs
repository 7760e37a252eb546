//! Requests of every action, decoded from and encoded in both protocols.

use crate::{
    action::Action,
    actions::*,
    error::{Error, ErrorKind},
    form::read_form,
    members::Members,
    tree::{Tree, read_json},
    writer::{FormWriter, JsonWriter, Writer},
};

/// The protocols of SQS clients. The older one has two response formats.
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
            /// An AWS action that isn't supported; its members are ignored.
            NotOffered(Action),
        }

        impl Request {
            /// The requested action.
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

/// Decodes a request of the JSON protocol from the value of `X-Amz-Target`, the path, which names
/// the queue if the body doesn't, and the body.
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

/// Decodes a request of the query protocol from the path, which may be that of a queue, the query
/// string and the body. If both contain a parameter, the body's counts.
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

/// Whether an action is valid at a path: those that don't refer to a queue aren't valid at a
/// queue's path, `/ACCOUNT/NAME`.
fn is_valid_at(path: &str, action: Action) -> bool {
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let (name, account) = (segments.next(), segments.next());
    let is_account = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_of_queue = name.is_some() && account.is_some_and(is_account);
    !(is_of_queue && matches!(action, Action::CreateQueue | Action::ListQueues))
}

/// Encodes a request as a client of the JSON protocol does: the value of `X-Amz-Target` and the
/// body.
pub fn encode_json(request: &Request) -> (String, Vec<u8>) {
    let mut writer = JsonWriter::new();
    request.write(&mut writer);
    (
        format!("AmazonSQS.{}", request.action()),
        writer.into_bytes(),
    )
}

/// Encodes a request as a client of the query protocol does: a form.
pub fn encode_query(request: &Request) -> Vec<u8> {
    let mut writer = FormWriter::new();
    writer.text("Action", request.action().name());
    writer.text("Version", "2012-11-05");
    request.write(&mut writer);
    writer.into_bytes()
}

/// Truncates a name from the request for an error message.
fn shown(name: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 80;
    name.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
