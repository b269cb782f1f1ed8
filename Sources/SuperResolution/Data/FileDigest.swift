import CCrypto
import Foundation
import Groundwork

/// The SHA-256 of a file's bytes in hexadecimal, read piece by piece.
/// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
package func sha256(of url: URL) throws -> String {
    let file = try InputFile(url)
    var digest = try SHA256()
    try withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 64) { buffer in
        for start in stride(from: 0, to: file.size, by: buffer.count) {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, file.size - start)])
            try file.read(at: start, into: piece)
            try digest.update(UnsafeRawBufferPointer(piece))
        }
    }
    return try digest.finish()
}

/// The SHA-256 of bytes in hexadecimal.
package func sha256(of bytes: UnsafeRawBufferPointer) throws -> String {
    var digest = try SHA256()
    try digest.update(bytes)
    return try digest.finish()
}

/// The SHA-256 of a text in UTF-8, in hexadecimal.
package func sha256(ofText text: String) throws -> String { try Array(text.utf8).withUnsafeBytes { try sha256(of: $0) } }

/// A SHA-256 in the making.
struct SHA256: ~Copyable {
    private let context: OpaquePointer

    init() throws {
        guard let context = EVP_MD_CTX_new() else { throw Self.failure }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw Self.failure
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Takes the next bytes.
    mutating func update(_ bytes: UnsafeRawBufferPointer) throws {
        guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else { throw Self.failure }
    }

    /// In hexadecimal, of all bytes taken.
    consuming func finish() throws -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_DigestFinal_ex(context, &digest, &length) == 1 else { throw Self.failure }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.prefix(Int(length)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static var failure: Failure { Failure(.other, "libcrypto cannot compute a SHA-256") }
}
