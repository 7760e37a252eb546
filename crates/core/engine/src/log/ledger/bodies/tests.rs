use super::*;

/// Pseudo-random numbers below `below`.
fn scattered(below: u64) -> impl Iterator<Item = u64> {
    let mut seed = 42u64;
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    })
}

/// Records in runs of one to four hundred, every third of 100 bytes.
fn filled() -> (Bodies, Vec<u64>) {
    let mut bodies = Bodies::default();
    let mut each = Vec::new();
    let mut numbers = scattered(400);
    while each.len() < 20_000 {
        let mut next = || numbers.next().expect("it never ends");
        let (kind, long, bytes) = (next() % 3, next() + 1, next());
        let count = if kind == 0 { long } else { 1 };
        let bytes = if kind == 1 { bytes } else { 100 };
        let first = Offset(each.len() as u64);
        bodies.push(first, count, u32::try_from(bytes).expect("it is small"));
        each.extend(std::iter::repeat_n(
            bytes,
            usize::try_from(count).expect("small"),
        ));
    }
    (bodies, each)
}

#[test]
fn any_range_has_the_sum_of_its_sizes() {
    let (bodies, each) = filled();
    let ranges = scattered(each.len() as u64).take(4_000).collect::<Vec<_>>();
    for range in ranges.chunks(2) {
        let (first, end) = (range[0].min(range[1]), range[0].max(range[1]));
        let of = usize::try_from(first).expect("small")..usize::try_from(end).expect("small");
        let expected: u64 = each[of].iter().sum();
        assert_eq!(bodies.between(Offset(first), Offset(end)), expected);
    }
}

#[test]
fn what_is_stored_is_read_and_continued() {
    let (mut bodies, each) = filled();
    let stored = postcard::to_stdvec(&bodies).expect("it encodes");
    let mut read: Bodies = postcard::from_bytes(&stored).expect("it decodes");
    assert_eq!(read, bodies);
    let end = Offset(each.len() as u64);
    for one in [&mut bodies, &mut read] {
        one.push(end, 3, 7);
        assert_eq!(one.between(end, end.plus(3)), 21);
    }
    assert_eq!(read, bodies);
}

#[test]
fn stretches_without_a_record_that_is_kept_are_dropped() {
    let (mut bodies, each) = filled();
    let end = Offset(each.len() as u64);
    let kept: Vec<Offset> = scattered(end.0).take(5).map(Offset).collect();
    let kept_from = |from: Offset| kept.iter().copied().filter(|it| *it >= from).min();
    bodies.drop_settled(&(Offset::ZERO..end), kept_from);
    assert!(bodies.stretches.len() <= kept.len());
    for offset in &kept {
        let bytes = bodies.between(*offset, offset.next());
        assert_eq!(bytes, each[usize::try_from(offset.0).expect("small")]);
    }
    let listed: usize = bodies.stretches.values().map(|it| it.sizes.listed()).sum();
    assert_eq!(bodies.listed, listed);
    bodies.drop_settled(&(Offset::ZERO..end), |_| None);
    assert_eq!((bodies.stretches.len(), bodies.listed), (0, 0));
    // New ones continue behind what is gone.
    bodies.push(end, 2, 5);
    assert_eq!(bodies.between(end, end.plus(2)), 10);
}
