//! Identifiers, times, amounts and currencies as text.

use florin_ledger::amount::*;
use florin_ledger::id::*;
use proptest::prelude::*;

#[test]
fn identifiers() {
    let id = Id::new(Timestamp(0x12_3456_789a_bcde), 0xf012, 0x34_5678_9abc_def0);
    assert_eq!(id.0, 0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    assert_eq!(
        id.position(),
        Position {
            time: Timestamp(0x12_3456_789a_bcde),
            ordinal: 0xf012
        }
    );
    assert_eq!(id.tag(), 0x34_5678_9abc_def0);
    assert_eq!(
        Id(0).display(prefix::PAYMENT).to_string(),
        "pay_00000000000000000000000000"
    );
    assert_eq!(
        Id(u128::MAX).display(prefix::KEY).to_string(),
        "key_7zzzzzzzzzzzzzzzzzzzzzzzzz"
    );
    for (text, why) in [
        ("", ParseIdError::Prefix("pay_")),
        ("pay", ParseIdError::Prefix("pay_")),
        (
            "tr_00000000000000000000000000",
            ParseIdError::Prefix("pay_"),
        ),
        (
            "PAY_00000000000000000000000000",
            ParseIdError::Prefix("pay_"),
        ),
        ("pay_", ParseIdError::Length),
        ("pay_0000000000000000000000000", ParseIdError::Length),
        ("pay_000000000000000000000000000", ParseIdError::Length),
        ("pay_8zzzzzzzzzzzzzzzzzzzzzzzzz", ParseIdError::Overflow),
        ("pay_0000000000000000000000000A", ParseIdError::Character),
        ("pay_0000000000000000000000000l", ParseIdError::Character),
        ("pay_0000000000000000000000000u", ParseIdError::Character),
        ("pay_000000000000000000000000 0", ParseIdError::Character),
        ("pay_000000000000000000000000é", ParseIdError::Character),
    ] {
        assert_eq!(Id::parse(prefix::PAYMENT, text), Err(why), "{text}");
    }
}

#[test]
fn times() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_793_534_400_000_001, "2026-11-01T12:00:00.000001Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(Timestamp(micros).rfc3339(), text);
    }
    assert_eq!(Timestamp::MAX.rfc3339(), "4253-05-31T22:20:37.927935Z");
    assert!(!Timestamp(u64::MAX).rfc3339().is_empty());
    let noon = Timestamp(1_793_534_400_000_000);
    for text in [
        "2026-11-01T12:00:00Z",
        "2026-11-01t12:00:00z",
        "2026-11-01 12:00:00.0Z",
        "2026-11-01T13:30:00.000000+01:30",
        "2026-11-01T00:00:00-12:00",
        "2026-11-01T12:00:00.0000009999Z",
    ] {
        assert_eq!(Timestamp::parse_rfc3339(text), Ok(noon), "{text}");
    }
    for text in [
        "",
        "2026-11-01",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00:00.Z",
        "2026-11-01T12:00:00Zz",
        "+026-11-01T12:00:00Z",
        "2026-11-01T12:00:00+1:00",
    ] {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Err(ParseTimeError::Form),
            "{text}"
        );
    }
    for text in [
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T00:60:00Z",
        "2026-11-01T00:00:60Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-01-01T00:00:00Z",
        "2026-11-01T12:00:00+24:00",
        "0000-01-01T00:00:00Z",
    ] {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Err(ParseTimeError::Range),
            "{text}"
        );
    }
}

#[test]
fn currencies() {
    for (code, exponent) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)] {
        let currency = Currency::parse(code).unwrap();
        assert_eq!((currency.code(), currency.exponent()), (code, exponent));
    }
    for code in ["", "US", "usd", "USDX", "AAA", "€"] {
        assert_eq!(
            Currency::parse(code),
            Err(ParseCurrencyError::Unknown),
            "{code}"
        );
    }
    for code in ["XAU", "XDR", "XTS", "XXX"] {
        assert_eq!(
            Currency::parse(code),
            Err(ParseCurrencyError::NoMinorUnit),
            "{code}"
        );
    }
}

#[test]
fn amounts() {
    let parse = |text: &str, code| {
        amount_from_decimal(text, Currency::parse(code).unwrap()).map(Amount::get)
    };
    for (text, code, minor) in [
        ("12.34", "USD", 1234),
        ("12.3", "USD", 1230),
        ("12", "USD", 1200),
        ("0012.00", "USD", 1200),
        ("0.01", "USD", 1),
        ("5", "JPY", 5),
        ("1.234", "KWD", 1234),
        (
            "79228162514264337593543950335",
            "JPY",
            79_228_162_514_264_337_593_543_950_335,
        ),
        (
            "79228162514264337593543950335",
            "KWD",
            79_228_162_514_264_337_593_543_950_335_000,
        ),
    ] {
        assert_eq!(parse(text, code), Ok(minor), "{text} {code}");
    }
    for text in [
        "", ".", "1.", ".5", "1e2", "1_000", "1,000.00", " 1", "+1", "--1", "1.2.3", "٣", "0x1",
        "NaN",
    ] {
        assert_eq!(parse(text, "USD"), Err(ParseAmountError::Form), "{text}");
    }
    assert_eq!(parse("-1.00", "USD"), Err(ParseAmountError::Negative));
    assert_eq!(parse("0.00", "USD"), Err(ParseAmountError::Zero));
    assert_eq!(
        parse("1.230", "USD"),
        Err(ParseAmountError::TooPrecise { exponent: 2 })
    );
    assert_eq!(
        parse("1.0", "JPY"),
        Err(ParseAmountError::TooPrecise { exponent: 0 })
    );
    assert_eq!(
        parse("79228162514264337593543950336", "USD"),
        Err(ParseAmountError::TooLarge)
    );
    assert_eq!(
        parse(&"9".repeat(4_000), "USD"),
        Err(ParseAmountError::TooLarge)
    );
    for minor in [0, -1, i64::MIN] {
        assert_eq!(Amount::from_minor(minor), Err(NotPositive));
    }
}

proptest! {
    #[test]
    fn identifiers_read_back(number: u128) {
        let text = Id(number).display(prefix::TRANSFER).to_string();
        prop_assert_eq!(Id::parse(prefix::TRANSFER, &text), Ok(Id(number)));
    }

    #[test]
    fn identifiers_sort_as_text(a: u128, b: u128) {
        let text = |number| Id(number).display(prefix::TRANSFER).to_string();
        prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
    }

    #[test]
    fn times_read_back(micros in 0..=Timestamp::MAX.0) {
        prop_assert_eq!(Timestamp::parse_rfc3339(&Timestamp(micros).rfc3339()), Ok(Timestamp(micros)));
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = Id::parse(prefix::PAYMENT, &text);
        let _ = Timestamp::parse_rfc3339(&text);
        let _ = Currency::parse(&text);
        let _ = amount_from_decimal(&text, Currency::parse("USD").unwrap());
    }

    #[test]
    fn amounts_read_back(minor in 1..=i64::MAX) {
        let text = format!("{}.{:02}", minor / 100, minor % 100);
        let read = amount_from_decimal(&text, Currency::parse("USD").unwrap());
        prop_assert_eq!(read, Amount::from_minor(minor).map_err(|_| ParseAmountError::Zero));
    }
}
