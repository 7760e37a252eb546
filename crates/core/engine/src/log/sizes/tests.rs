use super::*;

fn bytes(sizes: &Sizes, first: u64, count: u32) -> u64 {
    let end = first + u64::from(count);
    sizes
        .pieces(Offset(first)..Offset(end), 7)
        .map(|(count, bytes)| count * u64::from(bytes))
        .sum()
}

fn noted(each: impl IntoIterator<Item = u32>) -> Sizes {
    let mut sizes = Sizes::default();
    for (offset, bytes) in (0..).zip(each) {
        sizes.note(Offset(offset), bytes);
    }
    sizes
}

/// Pseudo-random numbers below `below`.
fn scattered(below: u64) -> impl Iterator<Item = u32> {
    let mut seed = 42u64;
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from((seed >> 33) % below).expect("it is small") + 1
    })
}

#[test]
fn records_take_their_own_sizes_whatever_their_neighbours_are() {
    let small = std::iter::repeat_n(100, 300);
    let large = std::iter::repeat_n(16 << 20, 300);
    let sizes = noted(small.clone().chain(large).chain(small));
    assert_eq!(sizes.stretches.len(), 3);
    assert_eq!(bytes(&sizes, 0, 300), 30_000);
    assert_eq!(bytes(&sizes, 299, 2), 100 + (16 << 20));
    assert_eq!(bytes(&sizes, 299, 302), 200 + (300 * (16 << 20)));
    assert_eq!(bytes(&sizes, 880, 20), 2_000);
}

#[test]
fn alike_sizes_are_one_stretch_and_exceed_theirs_by_a_third_at_most() {
    let sizes = noted([1_000, 900, 750, 749, 1_000]);
    let each: Vec<_> = (0..5).map(|offset| bytes(&sizes, offset, 1)).collect();
    assert_eq!(each, [1_000, 1_000, 1_000, 749, 1_000]);
    assert_eq!(sizes.stretches.len(), 3);
}

#[test]
fn what_came_before_sizes_were_kept_takes_the_average_of_then() {
    let mut sizes = Sizes::default();
    assert_eq!(bytes(&sizes, 0, 10), 70);
    sizes.note(Offset(10), 100);
    assert_eq!(bytes(&sizes, 8, 4), 214);
}

#[test]
fn stretches_are_bounded_and_no_record_is_taken_for_smaller_than_it_is() {
    for below in [200, 5_000, 1 << 24] {
        let each: Vec<u32> = scattered(below).take(20_000).collect();
        let sizes = noted(each.iter().copied());
        assert!(sizes.stretches.len() <= SIZE_STRETCHES_MAX);
        for (offset, own) in (0..).zip(&each) {
            assert!(bytes(&sizes, offset, 1) >= u64::from(*own));
        }
    }
}

#[test]
fn a_few_large_records_among_many_small_ones_stay_alone() {
    let sizes = scattered(400).zip(0u32..);
    let each = sizes.map(|(bytes, place)| if place % 2_000 == 99 { 16 << 20 } else { bytes });
    let each: Vec<u32> = each.take(60_000).collect();
    let sizes = noted(each.iter().copied());
    let taken = bytes(&sizes, 0, 60_000);
    let own: u64 = each.iter().copied().map(u64::from).sum();
    assert!(taken <= own + 60_000 * 400, "{taken} instead of {own}");
}

#[test]
fn what_is_trimmed_is_forgotten() {
    let mut sizes = noted([10, 100, 1_000]);
    sizes.forget_before(Offset(2));
    assert_eq!(sizes.stretches.len(), 1);
    assert_eq!(bytes(&sizes, 2, 1), 1_000);
}
