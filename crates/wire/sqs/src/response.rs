//! Responses of every action, in both protocols.

use crate::{
    action::Action,
    actions::*,
    request::Protocol,
    writer::{JsonWriter, NAMESPACE, Writer, XmlWriter},
};

macro_rules! responses {
    (
        [$($name:ident($module:ident)),+ $(,)?]
        [$($empty:ident($empty_module:ident)),+ $(,)?]
        $not_offered:tt
    ) => {
        /// The response to a successful action.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the variants are the names of AWS's reference")]
        pub enum Response {
            $($name($module::Response),)+
            $($empty,)+
        }

        impl Response {
            /// The action it belongs to.
            pub fn action(&self) -> Action {
                match self {
                    $(Self::$name(_) => Action::$name,)+
                    $(Self::$empty => Action::$empty,)+
                }
            }

            fn has_result(&self) -> bool {
                match self {
                    $(Self::$name(_) => true,)+
                    $(Self::$empty => false,)+
                }
            }

            fn write(&self, writer: &mut impl Writer) {
                match self {
                    $(Self::$name(response) => response.write(writer),)+
                    $(Self::$empty => {})+
                }
            }
        }
    };
}

crate::each_action!(responses);

impl Response {
    /// The response body in `protocol`. `request_id` is part of the XML; in the JSON protocol it is
    /// a header.
    pub fn encode(&self, protocol: Protocol, request_id: &str) -> Vec<u8> {
        match protocol {
            Protocol::Json => {
                let mut writer = JsonWriter::new();
                self.write(&mut writer);
                writer.into_bytes()
            }
            Protocol::Query => self.encode_xml(request_id),
            Protocol::QueryInJson => self.encode_query_json(request_id),
        }
    }

    fn encode_query_json(&self, request_id: &str) -> Vec<u8> {
        let action = self.action();
        let mut writer = JsonWriter::of_query();
        writer.object(&format!("{action}Response"), |writer| {
            if self.has_result() {
                writer.object(&format!("{action}Result"), |writer| self.write(writer));
            }
            writer.object("ResponseMetadata", |writer| {
                writer.text("RequestId", request_id);
            });
        });
        writer.into_bytes()
    }

    fn encode_xml(&self, request_id: &str) -> Vec<u8> {
        let action = self.action();
        let (outer, inner) = (format!("{action}Response"), format!("{action}Result"));
        let mut writer = XmlWriter::new();
        writer.open_with_namespace(&outer, NAMESPACE);
        if self.has_result() {
            writer.element(&inner, |writer| self.write(writer));
        }
        writer.open("ResponseMetadata");
        writer.leaf("RequestId", request_id);
        writer.close("ResponseMetadata");
        writer.close(&outer);
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests;
