//! How long the examples are: lines of code, without comments and empty lines.

/// Lines that are neither empty nor a comment. Attributes count.
fn lines_of_code(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

#[test]
fn a_service_with_one_handler_has_at_most_40_lines() {
    let lines = lines_of_code(include_str!("../../examples/inventory.rs"));
    println!("a service with one handler has {lines} lines");
    assert!(lines <= 40, "{lines}");
}

#[test]
fn the_saga_with_its_compensation_has_at_most_45_lines() {
    let lines = lines_of_code(include_str!("../../examples/place_order/saga.rs"));
    println!("the saga with its compensation and its service has {lines} lines");
    assert!(lines <= 45, "{lines}");
}
