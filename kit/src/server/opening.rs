//! The first bytes of a connection: whether they are HTTP/2 spoken with prior knowledge (RFC 9113 §3.3), or HTTP/1.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::timeout,
};

/// What a client of HTTP/2 says first. No request of HTTP/1 can begin so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes read at once.
const READ: usize = 4096;

/// A stream of which something was read already.
#[derive(Debug)]
pub(super) struct Opened<S> {
    early: Bytes,
    stream: S,
}

impl<S> Opened<S> {
    /// Nothing was read yet.
    pub(super) fn whole(stream: S) -> Self {
        Self { early: Bytes::new(), stream }
    }
}

impl<S: AsyncRead + Unpin> Opened<S> {
    /// Reads until it is clear what is spoken. A client may be silent for `idle`; once it has begun, for `head`.
    pub(super) async fn read(mut stream: S, idle: Duration, head: Duration) -> io::Result<(Self, bool)> {
        let mut early = Vec::with_capacity(READ);
        if timeout(idle, stream.read_buf(&mut early)).await?? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let begun = timeout(head, async {
            while early.len() < PREFACE.len() && PREFACE.starts_with(&early) {
                if stream.read_buf(&mut early).await? == 0 {
                    break;
                }
            }
            io::Result::Ok(())
        });
        begun.await??;
        let is_http2 = early.starts_with(PREFACE);
        Ok((Self { early: early.into(), stream }, is_http2))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.advance(count);
        if self.early.is_empty() {
            // What is empty would still hold its 4 KiB as long as the connection lives.
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
