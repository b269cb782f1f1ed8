import CCrypto
import Foundation
import Groundwork

/// The SHA-256 of a file's bytes in hexadecimal, read piece by piece.
/// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it cannot be read.
package func sha256(of url: URL) throws -> String {
    guard FileManager.default.fileExists(atPath: url.path) else { throw Failure(.missingInput, "there is no such file", at: url.path) }
    func failure(_ found: String) -> Failure { Failure(.badData, "the file cannot be read", at: url.path, found: found) }
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw failure("no SHA-256 in libcrypto") }
    defer { EVP_MD_CTX_free(context) }
    do {
        let handle = try FileHandle(forReadingFrom: url)
        while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
            guard piece.withUnsafeBytes({ EVP_DigestUpdate(context, $0.baseAddress, $0.count) }) == 1 else { throw failure("an error of libcrypto") }
        }
    } catch let failure as Failure {
        throw failure
    } catch {
        throw failure(error.localizedDescription)
    }
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    guard EVP_DigestFinal_ex(context, &digest, &length) == 1 else { throw failure("an error of libcrypto") }
    return digest.prefix(Int(length)).map { String(format: "%02x", $0) }.joined()
}
