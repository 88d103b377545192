//! A lean HTTP/1.1 client, one request at a time on a kept-alive connection.
//!
//! It understands what Florin's frontend sends: a status, headers, and a body of a known length.
//! Whatever else comes is an error rather than a guess.

use super::response::{self, Head, ResponseError};
use super::{ClientError, MAX_RESPONSE, READ_ROOM, Request, Response, Socket};
use std::io;
use std::sync::Arc;

/// A kept-alive connection.
pub struct Http1 {
    socket: Socket,
    authority: Arc<str>,
    out: Vec<u8>,
    read: Vec<u8>,
}

impl Http1 {
    pub(super) fn new(socket: Socket, authority: Arc<str>) -> Http1 {
        Http1 {
            socket,
            authority,
            out: Vec::with_capacity(1 << 10),
            read: Vec::with_capacity(READ_ROOM),
        }
    }

    pub(super) async fn send(
        &mut self,
        request: &Request<'_>,
    ) -> Result<Response<'_>, ClientError> {
        self.write_request(request);
        let head = self.exchange().await?;
        Ok(Response {
            status: head.status,
            body: &self.read[head.length..head.length + head.body],
        })
    }

    fn write_request(&mut self, request: &Request<'_>) {
        let out = &mut self.out;
        out.clear();
        let mut put = |parts: &[&str]| {
            parts
                .iter()
                .for_each(|part| out.extend_from_slice(part.as_bytes()))
        };
        put(&[
            request.method,
            " ",
            request.path,
            " HTTP/1.1\r\nHost: ",
            &self.authority,
        ]);
        put(&["\r\nAuthorization: Bearer ", request.token]);
        if !request.idempotency_key.is_empty() {
            put(&["\r\nIdempotency-Key: ", request.idempotency_key]);
        }
        if request.method != "GET" {
            let length = request.body.len().to_string();
            put(&["\r\nContent-Type: ", request.content_type]);
            put(&["\r\nContent-Length: ", &length]);
        }
        put(&["\r\n\r\n"]);
        out.extend_from_slice(request.body);
    }

    async fn exchange(&mut self) -> Result<Head, ClientError> {
        self.socket
            .write(&self.out)
            .await
            .map_err(ClientError::Broken)?;
        // One request, one answer: nothing of another can be left.
        self.read.clear();
        let mut head = None;
        loop {
            let more = self.socket.read(&mut self.read).await;
            if more.map_err(ClientError::Broken)? == 0 {
                return Err(ClientError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            if head.is_none() {
                head = response::head(&self.read)?;
            }
            match &head {
                Some(Head { length, body, .. }) if length + body > MAX_RESPONSE => {
                    return Err(ResponseError::TooLong.into());
                }
                Some(Head { length, body, .. }) if self.read.len() > length + body => {
                    return Err(ResponseError::Unasked.into());
                }
                Some(found) if self.read.len() == found.length + found.body => return Ok(*found),
                // A long answer is read into room for all of it.
                Some(found) => self
                    .read
                    .reserve(found.length + found.body - self.read.len()),
                None => {}
            }
        }
    }
}
