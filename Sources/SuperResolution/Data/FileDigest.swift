import CCrypto
import Foundation
import Groundwork

/// The SHA-256 of a file's bytes in hexadecimal, read piece by piece.
/// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
package func sha256(of url: URL) throws -> String {
    guard FileManager.default.fileExists(atPath: url.path) else { throw Failure(.missingInput, "there is no such file", at: url.path) }
    let descriptor = open(url.path, O_RDONLY)
    func unreadable() -> Failure { Failure(.badData, "the file cannot be read", at: url.path, found: String(cString: strerror(errno))) }
    guard descriptor >= 0 else { throw unreadable() }
    defer { close(descriptor) }
    return try withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 64) { piece in
        try sha256 {
            while true {
                let count = read(descriptor, piece.baseAddress, piece.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw unreadable() }
                return count == 0 ? nil : UnsafeRawBufferPointer(rebasing: piece[..<count])
            }
        }
    }
}

/// The SHA-256 of bytes in hexadecimal.
package func sha256(of bytes: UnsafeRawBufferPointer) throws -> String {
    var rest: UnsafeRawBufferPointer? = bytes
    return try sha256 {
        defer { rest = nil }
        return rest
    }
}

/// The SHA-256 of pieces, which come until there is none.
private func sha256(_ next: () throws -> UnsafeRawBufferPointer?) throws -> String {
    func failure() -> Failure { Failure(.other, "libcrypto cannot compute a SHA-256") }
    guard let context = EVP_MD_CTX_new() else { throw failure() }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw failure() }
    while let piece = try next() {
        guard EVP_DigestUpdate(context, piece.baseAddress, piece.count) == 1 else { throw failure() }
    }
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard EVP_DigestFinal_ex(context, &digest, &length) == 1 else { throw failure() }
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.prefix(Int(length)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
