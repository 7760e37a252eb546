//! The saga of an order: draws its plan as a mermaid chart.
//!
//! ```sh
//! cargo run -p stele-toolkit --example place_order
//! ```

#![allow(dead_code, reason = "tests use the rest")]
#![expect(clippy::print_stdout, reason = "this program shows something")]

mod messages;
mod saga;

use stele_toolkit::saga::Plan;

fn main() {
    print!("{}", Plan::<saga::PlaceOrder>::new().diagram());
}
