//! The AWS event stream, bytes to frames (kiro-upstream §3.1).
//!
//! The same bytes give the same frames and the same error for every split. Lengths are believed only after the prelude's
//! own checksum, so that a flipped bit can neither make us wait for gigabytes nor hide. After an error the decoder stays
//! failed: looking for the next frame in corrupt bytes could join two halves of different answers.

use bytes::{Buf as _, Bytes, BytesMut};

/// Longest frame that is accepted, in bytes. Peers cap at the same size; real frames are far below.
pub const MAX_FRAME: u32 = 16 * 1024 * 1024;
/// Longest header block that is accepted, in bytes, as in AWS's own decoders.
pub const MAX_HEADERS: u32 = 128 * 1024;

const PRELUDE: usize = 12;
const TRAILER: usize = 4;
const OVERHEAD: u32 = 16;

/// A decoded frame. Headers and payload share one allocation with the bytes they came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Headers in order.
    pub headers: Vec<Header>,
    /// The payload, usually JSON.
    pub payload: Bytes,
}

/// A header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Name, e.g. `:event-type`.
    pub name: Text,
    /// Value.
    pub value: HeaderValue,
}

/// A header's value.
#[derive(Debug, Clone, PartialEq)]
pub enum HeaderValue {
    /// Types 0 and 1.
    Bool(bool),
    /// Type 2.
    Int8(i8),
    /// Type 3.
    Int16(i16),
    /// Type 4.
    Int32(i32),
    /// Type 5.
    Int64(i64),
    /// Type 6.
    Bytes(Bytes),
    /// Type 7.
    String(Text),
    /// Type 8, milliseconds since the Unix epoch.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// UTF-8 text that shares the frame's allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    fn new(bytes: Bytes) -> Result<Self, FrameError> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(FrameError::HeaderText),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("checked when it was made")
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Frame {
    /// The value of a header that holds a string.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| match &header.value {
            HeaderValue::String(text) if header.name.0 == name.as_bytes() => Some(text.as_str()),
            HeaderValue::String(_)
            | HeaderValue::Bool(_)
            | HeaderValue::Int8(_)
            | HeaderValue::Int16(_)
            | HeaderValue::Int32(_)
            | HeaderValue::Int64(_)
            | HeaderValue::Bytes(_)
            | HeaderValue::Timestamp(_)
            | HeaderValue::Uuid(_) => None,
        })
    }
}

/// Why the bytes are not an event stream, or not a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The checksum of the two lengths is wrong.
    #[error("the checksum of a frame's prelude does not match")]
    PreludeChecksum,
    /// The checksum of the whole frame is wrong.
    #[error("the checksum of a frame does not match")]
    FrameChecksum,
    /// The frame's length is below 16 or above [`MAX_FRAME`].
    #[error("a frame of {0} bytes is not acceptable")]
    Length(u32),
    /// The headers are longer than the frame or than [`MAX_HEADERS`].
    #[error("a header block of {0} bytes is not acceptable")]
    HeadersLength(u32),
    /// No such header type.
    #[error("header type {0} does not exist")]
    HeaderType(u8),
    /// A header without a name.
    #[error("a header has no name")]
    HeaderName,
    /// A header reaches over the end of the header block.
    #[error("a header reaches beyond its block")]
    HeaderBounds,
    /// A header's name or string is not UTF-8.
    #[error("a header is not UTF-8")]
    HeaderText,
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame, after {0} of its bytes")]
    Truncated(usize),
}

/// Finds frames in bytes that arrive at any split.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
    prelude: Option<Prelude>,
    failed: Option<FrameError>,
}

#[derive(Debug, Clone, Copy)]
struct Prelude {
    total: usize,
    headers: usize,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame, `None` when more bytes are needed. Call until `None` after every [`FrameDecoder::push`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.try_next();
        if let Err(error) = result {
            self.failed = Some(error);
            self.buffer = BytesMut::new();
        }
        result
    }

    /// Says whether the stream may end here: an error when bytes of an unfinished frame are left.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.buffer.is_empty() => Ok(()),
            None => Err(FrameError::Truncated(self.buffer.len())),
        }
    }

    fn try_next(&mut self) -> Result<Option<Frame>, FrameError> {
        let prelude = match self.prelude {
            Some(prelude) => prelude,
            None if self.buffer.len() < PRELUDE => return Ok(None),
            None => *self.prelude.insert(Prelude::read(&self.buffer)?),
        };
        if self.buffer.len() < prelude.total {
            return Ok(None);
        }
        self.prelude = None;
        let mut frame = self.buffer.split_to(prelude.total).freeze();
        let checksum = frame.split_off(prelude.total - TRAILER).get_u32();
        if crc32fast::hash(&frame) != checksum {
            return Err(FrameError::FrameChecksum);
        }
        frame.advance(PRELUDE);
        let headers = read_headers(frame.split_to(prelude.headers))?;
        Ok(Some(Frame { headers, payload: frame }))
    }
}

impl Prelude {
    fn read(buffer: &[u8]) -> Result<Self, FrameError> {
        let mut fields = &buffer[..PRELUDE];
        let (total, headers, checksum) = (fields.get_u32(), fields.get_u32(), fields.get_u32());
        if crc32fast::hash(&buffer[..8]) != checksum {
            return Err(FrameError::PreludeChecksum);
        }
        if !(OVERHEAD..=MAX_FRAME).contains(&total) {
            return Err(FrameError::Length(total));
        }
        if headers > MAX_HEADERS || headers > total - OVERHEAD {
            return Err(FrameError::HeadersLength(headers));
        }
        Ok(Self { total: total as usize, headers: headers as usize })
    }
}

fn read_headers(mut block: Bytes) -> Result<Vec<Header>, FrameError> {
    let mut headers = Vec::with_capacity(4);
    while !block.is_empty() {
        let length = block.get_u8() as usize;
        if length == 0 {
            return Err(FrameError::HeaderName);
        }
        let name = Text::new(take(&mut block, length)?)?;
        headers.push(Header { name, value: read_value(&mut block)? });
    }
    Ok(headers)
}

fn read_value(block: &mut Bytes) -> Result<HeaderValue, FrameError> {
    let value = match take(block, 1)?.get_u8() {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Int8(take(block, 1)?.get_i8()),
        3 => HeaderValue::Int16(take(block, 2)?.get_i16()),
        4 => HeaderValue::Int32(take(block, 4)?.get_i32()),
        5 => HeaderValue::Int64(take(block, 8)?.get_i64()),
        6 => HeaderValue::Bytes(take_counted(block)?),
        7 => HeaderValue::String(Text::new(take_counted(block)?)?),
        8 => HeaderValue::Timestamp(take(block, 8)?.get_i64()),
        9 => {
            let mut uuid = [0; 16];
            take(block, 16)?.copy_to_slice(&mut uuid);
            HeaderValue::Uuid(uuid)
        }
        other => return Err(FrameError::HeaderType(other)),
    };
    Ok(value)
}

fn take_counted(block: &mut Bytes) -> Result<Bytes, FrameError> {
    let length = take(block, 2)?.get_u16() as usize;
    take(block, length)
}

fn take(block: &mut Bytes, length: usize) -> Result<Bytes, FrameError> {
    if block.len() < length { Err(FrameError::HeaderBounds) } else { Ok(block.split_to(length)) }
}
