import Foundation
import Groundwork
import TensorCore
import Testing

@Suite struct SafetensorsTests {
    @Test func roundTrip() throws {
        var numbers = TestNumbers(seed: 21)
        let tensors: [(name: String, tensor: Tensor)] = [
            ("weights.b", numbers.normal([3, 3, 5, 2])), ("weights.a", numbers.normal([7])), ("scalar", Tensor(2.5)),
            ("empty", Tensor(zeros: [0, 4])),
            ("größe/\"quoted\"", Tensor(shape: [4], values: [.infinity, -.infinity, -0.0, .leastNonzeroMagnitude])),
        ]
        let metadata = ["configuration": "{\"width\": 8}", "format": "1", "text": "two\nlines, °"]
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            try writeSafetensors(tensors, metadata: metadata, to: url)
            let file = try SafetensorsFile(reading: url)
            #expect(file.metadata == metadata)
            #expect(Set(file.names) == Set(tensors.map(\.name)))
            for (name, tensor) in tensors {
                #expect(file.contains(name))
                #expect(file.shape(of: name) == tensor.shape)
                #expect(file.type(of: name) == .float32)
                expectSame(try file.tensor(named: name), tensor, name)
            }
            let bytes = try Data(contentsOf: url)
            try writeSafetensors(tensors, metadata: metadata, to: url)
            #expect(try Data(contentsOf: url) == bytes)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.safetensors"])
            // Numbers begin at a multiple of eight bytes, as readers that map files want.
            #expect((bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }) % 8 == 0)
        }
    }

    @Test func filesWithoutMetadataOrTensors() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("empty.safetensors")
            try writeSafetensors([], to: url)
            let file = try SafetensorsFile(reading: url)
            #expect(file.metadata.isEmpty)
            #expect(file.names.isEmpty)
        }
    }

    @Test func halfPrecision() throws {
        let values: [Float] = [
            0, -0.0, 1, -2.5, 65504, 1e5, -1e5, 0.1, 6.1035e-5, 5.9605e-8, 2e-8, 1 + 0x1p-11, 1 + 0x3p-11, 65519, 65520, .infinity, 1e-4,
            3.0517578e-5,
        ]
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("half.safetensors")
            try writeSafetensors([("x", Tensor(shape: [values.count], values: values)), ("nan", Tensor(.nan))], type: .float16, to: url)
            let file = try SafetensorsFile(reading: url)
            #expect(file.type(of: "x") == .float16)
            #if !(os(macOS) && arch(x86_64))
                expectSame(try file.tensor(named: "x"), Tensor(shape: [values.count], values: values.map { Float(Float16($0)) }), "halves")
            #endif
            #expect(try file.tensor(named: "nan").item.isNaN)
        }
    }

    /// Every half-precision number there is.
    @Test func everyHalf() throws {
        #if !(os(macOS) && arch(x86_64))
            let patterns = (0...UInt16.max).filter { !Float16(bitPattern: $0).isNaN }
            let tensor = try tensor(bytes: patterns.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }, type: "F16", shape: [patterns.count])
            expectSame(tensor, Tensor(shape: [patterns.count], values: patterns.map { Float(Float16(bitPattern: $0)) }), "halves")
        #endif
    }

    @Test func otherNumberFormats() throws {
        func bytes<Value>(_ values: [Value]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
        #expect(try tensor(bytes: bytes([1.5, -2e10]), type: "F64", shape: [2]).values == [1.5, -2e10])
        #expect(try tensor(bytes: bytes([0x3FC0, 0xC000] as [UInt16]), type: "BF16", shape: [2, 1]).values == [1.5, -2])
        #expect(try tensor(bytes: bytes([-7, 1 << 40] as [Int64]), type: "I64", shape: [2]).values == [-7, 0x1p40])
        #expect(try tensor(bytes: bytes([-7, 70_000] as [Int32]), type: "I32", shape: [2]).values == [-7, 70_000])
        #expect(try tensor(bytes: bytes([-7, 300] as [Int16]), type: "I16", shape: [2]).values == [-7, 300])
        #expect(try tensor(bytes: bytes([-7, 100] as [Int8]), type: "I8", shape: [2]).values == [-7, 100])
        #expect(try tensor(bytes: [7, 200], type: "U8", shape: [2]).values == [7, 200])
        #expect(try tensor(bytes: [0, 1], type: "BOOL", shape: [2]).values == [0, 1])
        #expect(try tensor(bytes: bytes([Float(3)]), type: "F32", shape: []).shape == [])
    }

    /// Tensors need not begin at a multiple of their size.
    @Test func unalignedTensors() throws {
        let header = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}} "#
        let data = [9] + [Float(1.5), -2].withUnsafeBytes { Array($0) }
        try withFile(Self.file(header: header, data: data)) { url in
            let file = try SafetensorsFile(reading: url)
            #expect(file.names == ["a", "b"])
            #expect(try file.tensor(named: "b").values == [1.5, -2])
        }
    }

    struct BadFile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let contents: [UInt8]

        init(_ description: String, _ contents: [UInt8]) { (testDescription, self.contents) = (description, contents) }

        init(_ description: String, header: String, data: Int = 16) {
            self.init(description, SafetensorsTests.file(header: header, data: Array(repeating: 0, count: data)))
        }
    }

    private static let sound = #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#

    static let badFiles = [
        BadFile("empty", []),
        BadFile("shorter than a header length", [1, 2, 3]),
        BadFile("a header length and nothing else", [8, 0, 0, 0, 0, 0, 0, 0]),
        BadFile("header longer than the file", [200, 0, 0, 0, 0, 0, 0, 0] + Array(sound.utf8)),
        BadFile("header length of 2⁶³", [0, 0, 0, 0, 0, 0, 0, 128] + Array(sound.utf8)),
        BadFile("header length of 2⁶⁴ − 1", Array(repeating: 255, count: 8) + Array(sound.utf8)),
        BadFile("header length that overflows when 8 is added", [248, 255, 255, 255, 255, 255, 255, 127] + Array(sound.utf8)),
        BadFile("text", Array("This is a text about safetensors and not a safetensors file.".utf8)),
        BadFile("not JSON", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#),
        BadFile("not UTF-8", file(headerBytes: [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D], data: [])),
        BadFile("an array", header: "[1, 2, 3]"),
        BadFile("a number", header: "12345678"),
        BadFile("empty header", header: ""),
        BadFile("entry that is a number", header: #"{"a":3}"#),
        BadFile("entry without a dtype", header: #"{"a":{"shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile("entry without a shape", header: #"{"a":{"dtype":"F32","data_offsets":[0,16]}}"#),
        BadFile("entry without offsets", header: #"{"a":{"dtype":"F32","shape":[2,2]}}"#),
        BadFile("unknown dtype", header: #"{"a":{"dtype":"F12","shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile("dtype that is a number", header: #"{"a":{"dtype":32,"shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile("shape of text", header: #"{"a":{"dtype":"F32","shape":["2","2"],"data_offsets":[0,16]}}"#),
        BadFile("shape of fractions", header: #"{"a":{"dtype":"F32","shape":[2.5,2],"data_offsets":[0,16]}}"#),
        BadFile("shape that is a number", header: #"{"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}}"#),
        BadFile("negative extents", header: #"{"a":{"dtype":"F32","shape":[-2,-2],"data_offsets":[0,16]}}"#),
        BadFile("negative extent", header: #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,16]}}"#),
        BadFile(
            "extents whose product overflows to what fits", header: #"{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}"#),
        BadFile("extents whose product overflows", header: #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#),
        BadFile("extent beyond 64 bits", header: #"{"a":{"dtype":"F32","shape":[36893488147419103232],"data_offsets":[0,16]}}"#),
        BadFile("one offset", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0]}}"#),
        BadFile("three offsets", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16,32]}}"#),
        BadFile("no offsets", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[]}}"#),
        BadFile("offsets the wrong way round", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[16,0]}}"#),
        BadFile("negative offset", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[-16,0]}}"#),
        BadFile("offsets beyond 64 bits", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,36893488147419103232]}}"#),
        BadFile("fewer bytes than the shape asks for", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,12]}}"#),
        BadFile("more bytes than the shape asks for", header: #"{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile("cut short within a tensor", header: sound, data: 12),
        BadFile("tensor beyond the end", header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}"#),
        BadFile(
            "overlapping tensors",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#),
        BadFile(
            "two tensors in one place",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
        BadFile(
            "a name twice",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#),
        BadFile(
            "a name twice with the same bytes",
            header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile(
            "a name twice, written in two ways",
            header: #"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}, "\u0061" :{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile(
            "two names that are the same text",
            header: #"{"\#u{E9}":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"e\#u{301}":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#),
        BadFile("a shape twice", header: #"{"a":{"dtype":"F32","shape":[9],"shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile(
            "metadata twice",
            header: #"{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"k":"w"}}"#),
        BadFile(
            "a key of the metadata twice", header: #"{"__metadata__":{"k":"[{","k":"w"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#),
        BadFile("bytes before the first tensor", header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#),
        BadFile("bytes behind the last tensor", header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
        BadFile(
            "bytes between tensors",
            header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}"#),
        BadFile("bytes without a tensor", header: "{}"),
        BadFile("UTF-16", file(headerBytes: sound.utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }, data: Array(repeating: 0, count: 16))),
        BadFile("deeply nested", header: String(repeating: "[", count: 100_000)),
    ]

    @Test(arguments: badFiles) func badFilesAreFailures(_ bad: BadFile) throws {
        try withFile(bad.contents) { url in
            let failure = try #require(throws: Failure.self) { try SafetensorsFile(reading: url) }
            #expect(failure.category == .badData)
            #expect(failure.location?.contains(url.path) == true)
        }
    }

    /// Keys alike in different objects, strings that look like keys or like the ends of objects, and tensors without values.
    @Test func unusualFiles() throws {
        let header = #"""
            {"dtype":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"__metadata__":{"dtype":"}, \"dtype\": {\\","shape":"{"},
            "empty":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]},"none":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}      
            """#
        try withFile(Self.file(header: header, data: Array(repeating: 0, count: 16))) { url in
            let file = try SafetensorsFile(reading: url)
            #expect(Set(file.names) == ["dtype", "empty", "none"] && file.shape(of: "empty") == [0, 4])
            #expect(file.metadata == ["dtype": #"}, "dtype": {\"#, "shape": "{"])
        }
    }

    @Test func weightsAreFinite() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("weights.safetensors")
            // In the last of several blocks, too.
            for (value, isSound) in [(Float.nan, false), (-.nan, false), (.infinity, false), (-.infinity, false), (-.greatestFiniteMagnitude, true)] {
                for place in [0, 70_000] {
                    var values = [Float](repeating: -1, count: 70_001)
                    values[place] = value
                    try writeSafetensors([("sound", Tensor(zeros: [3])), ("odd", Tensor(shape: [values.count], values: values))], to: url)
                    let file = try SafetensorsFile(reading: url)
                    #expect(try file.weights(named: "sound").count == 3)
                    guard !isSound else {
                        #expect(try file.weights(named: "odd").values == values)
                        continue
                    }
                    let failure = try #require(throws: Failure.self) { try file.weights(named: "odd") }
                    #expect(failure.category == .badData && failure.location == "\(url.path), tensor odd", "\(failure)")
                    #expect(failure.found?.hasSuffix("at place \(place) of 70001") == true && failure.remedy != nil, "\(failure)")
                }
            }
        }
        // What does not fit into 32 bits is not finite there.
        let bytes = [1.0, 1e300].withUnsafeBytes { Array($0) }
        try withFile(Self.file(header: #"{"x":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#, data: bytes)) { url in
            #expect(throws: Failure.self) { try SafetensorsFile(reading: url).weights(named: "x") }
        }
    }

    /// A sound file cut at any place is a failure; none is read beyond its end.
    @Test func everyTruncationIsAFailure() throws {
        let whole = Self.file(header: Self.sound, data: Array(repeating: 1, count: 16))
        for length in whole.indices {
            try withFile(Array(whole[..<length])) { url in
                #expect(throws: Failure.self, "\(length) bytes") { try SafetensorsFile(reading: url) }
            }
        }
        try withFile(whole) { url in
            let tensor = try SafetensorsFile(reading: url).tensor(named: "a")
            #expect(tensor.shape == [2, 2])
        }
    }

    @Test func missingThings() throws {
        try withTemporaryFolder { folder in
            let absent = try #require(throws: Failure.self) { try SafetensorsFile(reading: folder.appendingPathComponent("absent.safetensors")) }
            #expect(absent.category == .missingInput)
            let isFolder = try #require(throws: Failure.self) { try SafetensorsFile(reading: folder) }
            #expect(isFolder.category == .badData)
        }
        try withFile(Self.file(header: Self.sound, data: Array(repeating: 0, count: 16))) { url in
            let file = try SafetensorsFile(reading: url)
            #expect(!file.contains("b"))
            #expect(file.shape(of: "b") == nil)
            let failure = try #require(throws: Failure.self) { try file.tensor(named: "b") }
            #expect(failure.category == .badData)
            #expect("\(failure)".contains("b"))
        }
    }

    /// Of tensors that are copied for the file one is in memory at a time.
    @Test(arguments: [SafetensorsFile.ElementType.float32, .float16]) func copiesAreMadeInTurn(type: SafetensorsFile.ElementType) throws {
        final class Made { weak var storage: Storage? }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("model.safetensors")
            var copies: [Made] = []
            let tensors = (0..<6).map { index in
                NamedTensor("tensor \(index)", copying: [3, 100]) {
                    #expect(copies.allSatisfy { $0.storage == nil })
                    let (tensor, made) = (Tensor(repeating: Float(index), shape: [3, 100]), Made())
                    made.storage = tensor.storage
                    copies.append(made)
                    return tensor
                }
            }
            try writeSafetensors(of: tensors + [NamedTensor("last", Tensor(7))], type: type, to: url)
            #expect(copies.count == 6)
            let file = try SafetensorsFile(reading: url)
            for index in 0..<6 {
                expectSame(try file.tensor(named: "tensor \(index)"), Tensor(repeating: Float(index), shape: [3, 100]), "tensor \(index)")
            }
            #expect(try file.tensor(named: "last").item == 7)
        }
    }

    @Test func unwritablePlace() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("no/such/folder/model.safetensors")
            let failure = try #require(throws: Failure.self) { try writeSafetensors([("a", Tensor(1))], to: url) }
            #expect(failure.category == .cannotWrite)
        }
    }

    private static func file(header: String, data: [UInt8]) -> [UInt8] { file(headerBytes: Array(header.utf8), data: data) }

    private static func file(headerBytes: [UInt8], data: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt64(headerBytes.count).littleEndian) { Array($0) } + headerBytes + data
    }

    private func withFile(_ contents: [UInt8], _ body: (URL) throws -> Void) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("file.safetensors")
            try Data(contents).write(to: url)
            try body(url)
        }
    }

    private func tensor(bytes: [UInt8], type: String, shape: [Int]) throws -> Tensor {
        let header = #"{"x":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[0,\#(bytes.count)]}}"#
        var tensor = Tensor(0)
        try withFile(Self.file(header: header, data: bytes)) { tensor = try SafetensorsFile(reading: $0).tensor(named: "x") }
        return tensor
    }
}
