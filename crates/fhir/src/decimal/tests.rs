//! Decimal numbers: tables of facts, then laws over generated numbers.

use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Compares digit for digit; `-` stands for no result.
#[track_caller]
fn check(result: Option<Decimal>, expected: &str) {
    let shown = result.map_or("-".to_owned(), |it| it.to_string());
    assert_eq!(shown, expected);
}

#[test]
fn numbers_print_as_they_are_written() {
    for text in [
        "0",
        "0.0",
        "0.00",
        "5",
        "-5",
        "1.50",
        "-0.010",
        "100",
        "1e2",
        "1.0e2",
        "-2.50e7",
        "0.1",
        "12345678901234567890123456789012345678",
        "0.00000000000000000000000000000000000001",
        "9.99e10000",
        "1e-100",
        "-1.5e-9999",
        "0e5",
    ] {
        assert_eq!(number(text).to_string(), text);
    }
    for (text, shown) in [
        ("1E2", "1e2"),
        ("1e+2", "1e2"),
        ("15e-1", "1.5"),
        ("1.5e1", "15"),
        ("1.50e1", "15.0"),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("+7", "7"),
        ("007", "7"),
        ("1.5e-7", "0.00000015"),
        ("1e00000000002", "1e2"),
        ("12.5e1", "125"),
    ] {
        assert_eq!(number(text).to_string(), shown, "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "", "-", ".", "5.", ".5", "1e", "1e+", "e5", "1.2.3", "--1", "1 ", " 1", "0x1", "1,5",
        "1e1.5", "NaN", "Infinity", "١",
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(DecimalError::Syntax),
            "{text:?}"
        );
    }
    for text in [
        "1e10001",
        "1e-10001",
        "1e99999999999999999999",
        "1.5e-10000",
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(DecimalError::ExponentTooLarge),
            "{text}"
        );
    }
    let long = format!("0.{}1", "0".repeat(20_000));
    assert_eq!(long.parse::<Decimal>(), Err(DecimalError::ExponentTooLarge));
}

#[test]
fn digits_beyond_the_last_kept_one() {
    let (nines, sevens) = ("9".repeat(38), "7".repeat(38));
    for (text, rounded) in [
        (format!("0.{sevens}4"), format!("0.{sevens}")),
        (
            format!("{nines}5"),
            "1.0000000000000000000000000000000000000e39".to_owned(),
        ),
        (format!("0.{sevens}50"), format!("0.{}8", "7".repeat(37))),
        (format!("0.{sevens}50001"), format!("0.{}8", "7".repeat(37))),
        (
            format!("0.{}8500", "7".repeat(37)),
            format!("0.{}8", "7".repeat(37)),
        ),
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(DecimalError::TooManyDigits),
            "{text}"
        );
        assert_eq!(
            Decimal::parse_rounded(&text).unwrap().to_string(),
            rounded,
            "{text}"
        );
    }
    assert_eq!(number(&format!("1.{}", "0".repeat(50))), Decimal::ONE);
}

#[test]
fn equality_and_order_go_by_value() {
    for (one, other) in [
        ("1.0", "1.00"),
        ("100", "1e2"),
        ("0", "-0.000"),
        ("1e-2", "0.010"),
    ] {
        assert_eq!(number(one), number(other));
    }
    let ascending = [
        "-1e10000", "-1e39", "-12", "-1.21", "-1.2", "-0.5", "-1e-9000", "0", "1e-9000", "0.0099",
        "0.01", "0.1", "0.11", "1", "1.0001", "9", "10", "99", "100", "1e38", "12e37", "1e300",
        "1e10000",
    ];
    for pair in ascending.windows(2) {
        assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
    }
}

#[test]
fn accessors() {
    for (text, precision, scale) in [
        ("1.58700", 6, 5),
        ("0", 1, 0),
        ("0.00", 1, 2),
        ("1e2", 1, -2),
        ("0.0150", 3, 4),
    ] {
        assert_eq!(
            (number(text).precision(), number(text).scale()),
            (precision, scale),
            "{text}"
        );
    }
    for (text, whole) in [
        ("5", 5),
        ("5.0", 5),
        ("5e1", 50),
        ("-0.0", 0),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(number(text).to_i64(), Some(whole), "{text}");
        assert!(number(text).is_integer());
    }
    for text in ["0.5", "9223372036854775808", "1e100", "5e-1"] {
        assert_eq!(number(text).to_i64(), None, "{text}");
    }
    check(number("1e2").expanded(), "100");
    check(number("1.5e40").expanded(), "-");
    check(number("1.5").expanded(), "1.5");
    assert_eq!(Decimal::new(10_i128.pow(38), 0), None);
    assert_eq!(Decimal::new(1, SCALE_MAX + 1), None);
}

#[test]
fn searched_numbers_are_ranges() {
    for (text, low, high) in [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("1.0e2", "95", "105"),
        ("1.00e2", "99.5", "100.5"),
        ("-3e4", "-30500", "-29500"),
        ("12e3", "11500", "12500"),
        ("0e2", "-50", "50"),
        ("0", "-0.5", "0.5"),
        ("-5.4", "-5.45", "-5.35"),
        ("5.4e-3", "0.00535", "0.00545"),
        ("0.0", "-0.05", "0.05"),
        (
            "10000000000000000000000000000000000000",
            "9999999999999999999999999999999999999",
            "10000000000000000000000000000000000001",
        ),
    ] {
        assert_eq!(
            number(text).implicit_range(),
            (number(low), number(high)),
            "{text}"
        );
    }
}

#[test]
fn sums() {
    for (one, other, sum) in [
        ("1", "2", "3"),
        ("1.50", "1.5", "3.00"),
        ("0.1", "0.2", "0.3"),
        ("-1", "1.0", "0.0"),
        ("5", "-7.25", "-2.25"),
        ("0", "1.20", "1.20"),
        ("1e2", "1", "101"),
        ("0.00", "0", "0.00"),
        (
            "99999999999999999999999999999999999999",
            "1",
            "1.0000000000000000000000000000000000000e38",
        ),
        ("1e300", "1", "1.0000000000000000000000000000000000000e300"),
        ("1e300", "-1", "1.0000000000000000000000000000000000000e300"),
        ("1e38", "0.5", "1.0000000000000000000000000000000000000e38"),
        ("1e38", "-0.6", "99999999999999999999999999999999999999"),
        (
            "9.9999999999999999999999999999999999999e10037",
            "1e10000",
            "-",
        ),
    ] {
        check(number(one).checked_add(number(other)), sum);
        check(number(other).checked_add(number(one)), sum);
    }
    check(number("1.0").checked_sub(number("0.25")), "0.75");
}

#[test]
fn products() {
    for (one, other, product) in [
        ("1.2", "1.8", "2.16"),
        ("-2", "3.0", "-6.0"),
        ("0", "-5", "0"),
        ("1e2", "2", "2e2"),
        ("0.5", "0.5", "0.25"),
        ("1e6000", "1e6000", "-"),
        ("1e-6000", "1e-6000", "0e-10000"),
        ("9e-5001", "6e-5000", "5e-10000"),
        (
            "99999999999999999999999999999999999999",
            "99999999999999999999999999999999999999",
            "9.9999999999999999999999999999999999998e75",
        ),
        ("1e38", "1e-38", "1"),
    ] {
        check(number(one).checked_mul(number(other)), product);
    }
}

#[test]
fn quotients() {
    for (one, other, quotient) in [
        ("1", "2", "0.5"),
        ("10", "2", "5"),
        ("1.00", "2", "0.50"),
        ("1e2", "2", "50"),
        ("0", "3", "0"),
        ("1", "3", "0.33333333333333333333333333333333333333"),
        ("2", "3", "0.66666666666666666666666666666666666667"),
        ("-2", "3", "-0.66666666666666666666666666666666666667"),
        ("1", "0", "-"),
        ("1", "0.00", "-"),
        ("100", "8", "12.5"),
        ("1.2", "1.8", "0.66666666666666666666666666666666666667"),
        ("5.0", "2.5", "2"),
        (
            "99999999999999999999999999999999999999",
            "99999999999999999999999999999999999998",
            "1",
        ),
        ("1e10000", "1e-10000", "-"),
        ("1e-10000", "1e10000", "0e-10000"),
    ] {
        check(number(one).checked_div(number(other)), quotient);
    }
    for (one, other, whole, rest) in [
        ("5", "2", "2", "1"),
        ("-5", "2", "-2", "-1"),
        ("5.5", "0.7", "7", "0.6"),
        ("2.2", "1.8", "1", "0.4"),
        ("5", "-2", "-2", "1"),
        ("0", "7", "0", "0"),
        ("1", "0", "-", "-"),
        ("1", "1e100", "0", "1"),
        ("1e100", "7", "-", "4"),
        (
            "1e40",
            "33333333333333333333333333333333333333",
            "300",
            "100",
        ),
        ("1e10000", "3", "-", "1"),
        ("7", "0.3e1", "2", "1"),
    ] {
        check(number(one).checked_div_integer(number(other)), whole);
        check(number(one).checked_rem(number(other)), rest);
    }
}

#[test]
fn rounding() {
    use Rounding::{Ceiling, Floor, HalfAwayFromZero, HalfEven, Truncate};
    for (text, places, rounding, expected) in [
        ("2.5", 0, HalfEven, "2"),
        ("3.5", 0, HalfEven, "4"),
        ("2.5", 0, HalfAwayFromZero, "3"),
        ("-2.5", 0, HalfAwayFromZero, "-3"),
        ("-2.5", 0, HalfEven, "-2"),
        ("2.51", 0, HalfEven, "3"),
        ("3.14159", 3, HalfAwayFromZero, "3.142"),
        ("1.5", 3, HalfEven, "1.5"),
        ("-1.56", 0, Truncate, "-1"),
        ("-1.56", 0, Floor, "-2"),
        ("-1.56", 0, Ceiling, "-1"),
        ("1.01", 0, Ceiling, "2"),
        ("1.00", 0, Ceiling, "1"),
        ("1250", -2, HalfEven, "1.2e3"),
        ("1e-500", 2, Ceiling, "0.01"),
        ("-1e-500", 2, Floor, "-0.01"),
        ("1e-500", 2, HalfEven, "0.00"),
        ("0e-500", 0, Ceiling, "0"),
        ("9.96", 1, HalfEven, "10.0"),
    ] {
        check(Some(number(text).round(places, rounding)), expected);
    }
    for (text, digits, expected) in [
        ("9.996", 3, "10.0"),
        ("1.2345", 2, "1.2"),
        ("12345", 2, "1.2e4"),
        ("1.2", 9, "1.2"),
        ("0.00", 1, "0.00"),
    ] {
        check(Some(number(text).significant(digits)), expected);
    }
    check(Some(number("-1.7").trunc()), "-1");
    check(Some(number("-1.7").floor()), "-2");
    check(Some(number("1.2").ceil()), "2");
    check(Some(number("-1.70").abs()), "1.70");
}

#[test]
fn functions_without_end() {
    check(number("81").sqrt(), "9");
    check(number("0.25").sqrt(), "0.5");
    check(number("-1").sqrt(), "-");
    check(number("0").exp(), "1");
    check(number("1e6").exp(), "-");
    check(number("1").ln(), "0");
    check(number("0").ln(), "-");
    check(number("16").log(number("2")), "4");
    check(number("1000").log(number("10")), "3");
    check(number("125.0").log(number("5")), "3");
    check(number("0.125").log(number("2")), "-3");
    check(number("2").log(number("1")), "-");
    check(number("2").power(number("3")), "8");
    check(number("2.5").power(number("2")), "6.25");
    check(number("2").power(number("-2")), "0.25");
    check(number("0").power(number("-1")), "-");
    check(number("-1").power(number("0.5")), "-");
    check(number("4").power(number("0.5")), "2");
    check(
        number("10").power(number("10000")),
        "1.0000000000000000000000000000000000000e10000",
    );
    check(number("10").power(number("1e9")), "-");
    check(Decimal::from_f64(f64::NAN), "-");
    check(Decimal::from_f64(0.1), "0.1");
    check(Decimal::from_f64(-1500.0), "-1500");
    assert!((number("2").sqrt().unwrap().to_f64() - 2_f64.sqrt()).abs() < 1e-15);
}

fn sortable(number: Decimal) -> Vec<u8> {
    let mut bytes = Vec::new();
    number.write_sortable(&mut bytes);
    bytes
}

#[test]
fn sortable_bytes() {
    for (text, bytes) in [
        ("0", &[0x80][..]),
        ("1", &[0xAA, 20]),
        ("1.00", &[0xAA, 20]),
        ("-1", &[0x55, 0xEB]),
        ("10", &[0xAB, 20]),
        ("12.3", &[0xAB, 25, 60]),
        ("1e-100", &[0x81, 0x7F, 0x9C, 20]),
        ("1e100", &[0xFE, 0x80, 0x64, 20]),
    ] {
        assert_eq!(sortable(number(text)), bytes, "{text}");
    }
    for bytes in [
        &[][..],
        &[0xAA],
        &[0xAA, 21],
        &[0x00],
        &[0xFF],
        &[0xAA, 0xFF],
        &[0xAA, 200],
    ] {
        assert_eq!(Decimal::read_sortable(bytes), None, "{bytes:?}");
    }
    assert_eq!(Decimal::read_sortable(&[0xAB; 100]), None);
}

/// Numbers of all sizes, with many near to each other.
fn numbers() -> impl Strategy<Value = Decimal> {
    let limit = 10_i128.pow(38) - 1;
    let mantissas = prop_oneof![
        -2000_i128..2000,
        -limit..=limit,
        (0_u32..38).prop_map(|it| 10_i128.pow(it))
    ];
    let scales = prop_oneof![-3_i32..6, -60_i32..60, -SCALE_MAX..=SCALE_MAX];
    (mantissas, scales).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

/// Numbers whose sums and products have no more than 38 digits.
fn short() -> impl Strategy<Value = Decimal> {
    (-1_000_000_i128..1_000_000, -2_i32..5)
        .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn printing_and_reading_keeps_every_digit(it in numbers()) {
        let read = number(&it.to_string());
        prop_assert_eq!((read.mantissa, read.scale), (it.mantissa, it.scale));
    }

    #[test]
    fn bytes_sort_as_numbers_do(one in numbers(), other in numbers()) {
        prop_assert_eq!(sortable(one).cmp(&sortable(other)), one.cmp(&other));
        let mut followed = sortable(one);
        let length = followed.len();
        followed.push(7);
        prop_assert_eq!(Decimal::read_sortable(&followed), Some((one, length)));
    }

    #[test]
    fn no_encoding_begins_another(one in numbers(), other in numbers()) {
        prop_assert!(one == other || !sortable(one).starts_with(&sortable(other)));
    }

    #[test]
    fn nothing_panics(one in numbers(), other in numbers(), places in -SCALE_MAX..SCALE_MAX) {
        let _ = (one.checked_add(other), one.checked_mul(other), one.checked_div(other));
        let _ = (one.checked_rem(other), one.checked_div_integer(other), one.round(places, Rounding::HalfEven));
        let _ = (one.implicit_range(), one.significant(5), one.power(other), one.log(other), one.to_i64());
    }

    #[test]
    fn laws_of_arithmetic(a in short(), b in short(), c in short()) {
        let sum = |one: Decimal, other: Decimal| one.checked_add(other).unwrap();
        let product = |one: Decimal, other: Decimal| one.checked_mul(other).unwrap();
        prop_assert_eq!(sum(sum(a, b), c), sum(a, sum(b, c)));
        prop_assert_eq!(product(a, sum(b, c)), sum(product(a, b), product(a, c)));
        prop_assert_eq!(sum(a, b).checked_sub(b).unwrap(), a);
        if !b.is_zero() {
            let (whole, rest) = (a.checked_div_integer(b).unwrap(), a.checked_rem(b).unwrap());
            prop_assert_eq!(sum(product(whole, b), rest), a);
            prop_assert!(rest.abs() < b.abs());
            prop_assert_eq!(product(a, b).checked_div(b).unwrap(), a);
        }
    }

    #[test]
    fn rounded_results_are_the_nearest(a in numbers(), b in numbers()) {
        if let Some(quotient) = a.checked_div(b).filter(|it| !it.is_zero() && it.scale() < SCALE_MAX - 80) {
            let back = quotient.checked_mul(b).unwrap();
            let error = back.checked_sub(a).unwrap().abs();
            let allowed = a.abs().checked_mul(number("1e-37")).unwrap();
            prop_assert!(error <= allowed, "{} / {}", a, b);
        }
    }

    #[test]
    fn ranges_enclose_their_number(it in numbers()) {
        let (low, high) = it.implicit_range();
        prop_assert!(low < it && it < high);
    }
}
