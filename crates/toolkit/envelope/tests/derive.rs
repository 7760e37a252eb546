//! What the derive makes of its attributes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_toolkit_envelope::{Key, Message, Version};

mod elsewhere {
    pub(crate) use stele_toolkit_envelope as library;

    pub(crate) fn unchanged(data: super::Value) -> Result<super::Value, library::UpcastError> {
        Ok(data)
    }
}

#[derive(Serialize, Deserialize)]
struct Customer {
    id: u32,
}

#[derive(Serialize, Deserialize, Message)]
#[message(type = "customer.moved", alias = "CustomerMoved", alias = "Moved", key = customer.id)]
#[message(version = "2.3", topic = "customers", crate = elsewhere::library)]
#[message(upcast(from = "2.1", with = elsewhere::unchanged), upcast(from = "1.0", with = elsewhere::unchanged))]
struct Moved {
    customer: Customer,
}

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "names", key = 1)]
struct Named(u8, String);

#[derive(Serialize, Deserialize, Message)]
#[message(version = "0.1", topic = "switches")]
enum Switched {
    On,
    Off,
}

#[test]
fn all_attributes_are_used() {
    assert_eq!(Moved::TYPE, "customer.moved");
    assert_eq!(Moved::ALIASES, ["CustomerMoved", "Moved"]);
    assert_eq!(Moved::VERSION, Version::new(2, 3));
    assert_eq!(Moved::TOPIC, "customers");
    let steps: Vec<Version> = Moved::UPCASTS.iter().map(|step| step.from).collect();
    assert_eq!(steps, [Version::new(1, 0), Version::new(2, 1)]);
    let moved = Moved {
        customer: Customer { id: 7 },
    };
    assert_eq!(moved.key(), Key::from("7"));
}

#[test]
fn tuples_and_enums_are_messages_too() {
    assert_eq!(Named(1, "ann".to_owned()).key(), Key::from("ann"));
    assert_eq!(Switched::TYPE, "Switched");
    assert!(Switched::ALIASES.is_empty() && Switched::UPCASTS.is_empty());
    assert!(
        [Switched::On, Switched::Off]
            .iter()
            .all(|it| it.key().is_none())
    );
}
