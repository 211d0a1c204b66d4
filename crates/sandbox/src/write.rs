//! Writing JSON by hand: pages are written faster than a client can ask for them.

/// Text as it is.
pub(crate) fn text(out: &mut Vec<u8>, t: &str) {
    out.extend_from_slice(t.as_bytes());
}

/// An integer.
pub(crate) fn int(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Cents as a decimal with two places, as a number or as text.
pub(crate) fn money(out: &mut Vec<u8>, cents: i64, is_number: bool) {
    if !is_number {
        out.push(b'"');
    }
    int(out, cents / 100);
    out.push(b'.');
    padded(out, (cents % 100) as u64, 2);
    if !is_number {
        out.push(b'"');
    }
}

/// The last `width` digits, with leading zeros.
pub(crate) fn padded(out: &mut Vec<u8>, n: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (n / 10_u64.pow(place) % 10) as u8);
    }
}
