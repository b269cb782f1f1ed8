import Foundation
import Testing

/// Refused options, configurations and outputs.
@Suite struct BadOptionTests {
    /// Arguments with DATA, OUT and MODEL to be replaced by paths.
    private func run(_ line: String, in folder: URL) throws -> SRProcess.Result {
        let models = try TinyModels.shared.get()
        return try sr(
            line.split(separator: " ").map { word in
                String(word).replacing("DATA", with: models.maps.path).replacing("OUT", with: folder.appendingPathComponent("out").path)
                    .replacing("MODEL", with: models.model.path).replacing("CONFIG", with: folder.appendingPathComponent("c.yaml").path)
            })
    }

    @Test(arguments: [
        ("infer DATA --output OUT --stpes 3", "Did you mean '--steps'?"), ("evaluate DATA --output OUT --modle x", "--modle"),
        ("train DATA --output OUT --presset tiny", "Did you mean '--preset'?"), ("infer", "<input>"), ("infer DATA", "--output"),
        ("infer DATA --output OUT --steps 0", "at least 1, not 0"), ("evaluate DATA --output OUT --steps 0", "at least 1, not 0"),
        ("infer DATA --output OUT --samples 1001", "0 … 1000, not 1001"), ("infer DATA --output OUT --steps many", "'many'"),
        ("infer DATA --output OUT --tile 17", "--tile"), ("infer DATA --output OUT --tile 32 --overlap 32", "--overlap"),
        ("infer DATA --output OUT --crop 1,2,3", "X,Y,W,H"), ("infer DATA --output OUT --crop 0,0,0,5", "X,Y,W,H"),
        ("infer DATA --output OUT --shard 3/2", "I/N"), ("infer DATA --output OUT --shard 0/2", "I/N"),
        ("infer DATA --output OUT --mdi-factor 0", "--mdi-factor"), ("infer DATA --output OUT --keep-samples", "--samples of at least 2"),
        ("infer DATA --output OUT --primary mean", "--samples of at least 2"), ("infer DATA --output OUT --fine-order 2", "--samples of at least 2"),
        ("infer DATA --output OUT --samples 2 --fine-cutoff 0", "at most 3600 arcsec, not 0.0"),
        ("infer DATA --output OUT --samples 2 --fine-order 21", "1 … 20, not 21"),
        ("infer DATA --output OUT --quiet --verbose", "exclude each other"), ("train DATA --model vqgan --output OUT --memory 1G", "--memory"),
        ("infer DATA --output OUT --threads 0", "--threads"), ("infer DATA --output OUT --largest-image 0", "--largest-image"),
        ("evaluate DATA --output OUT --limit 0", "--limit"),
        ("evaluate DATA --output OUT --region-threshold 0", "--region-threshold"),
        ("evaluate DATA --output OUT --model MODEL --metrics psnr,beauty", "beauty"),
        ("infer DATA --output OUT --sampler dpm", "--sampler"), ("evaluate DATA --output OUT --sampler euler", "--sampler"),
        ("infer DATA --output OUT --sampler dpm-solver++ --eta 0.5", "--sampler ddim"),
        ("evaluate DATA --output OUT --sampler ddpm --eta 1", "--sampler ddim"),
        ("infer DATA --output OUT --sampler ddim --eta 1.5", "0 … 1, not 1.5"), ("infer DATA --output OUT --sampler ddim --eta nan", "--eta"),
        ("infer DATA --output OUT --model MODEL --sampler ddpm --steps 20", "variance β"),
        ("evaluate DATA --output OUT --model MODEL --sampler ddpm --steps 20", "variance β"),
        ("infer DATA --output OUT --model MODEL --steps 1001", "1 … 1000 denoising steps, found 1001"),
        ("evaluate DATA --output OUT --model MODEL --steps 1001", "1 … 1000 denoising steps, found 1001"),
        ("infer DATA --output OUT --fine-cutoff 2", "--samples of at least 2"), ("infer DATA --output OUT --centre-on 11158", "--regions FILE"),
        ("infer DATA --output OUT --centre-on x --regions y", "such as 11112, not x"),
        ("infer DATA --output OUT --centre-on 111112 --regions y", "not 111112"),
        ("infer DATA --output OUT --regions y", "--centre-on"), ("infer DATA --output OUT --crop-size 64", "--centre-on"),
        ("infer DATA --output OUT --centre-on 11112 --regions y --crop-size 15", "16 … 65536 pixels, not 15"),
        ("infer DATA --output OUT --centre-on 11112 --regions y --crop 0,0,16,16", "--crop and --centre-on exclude each other"),
        ("evaluate --output OUT", "no data"), ("evaluate --output OUT --predictions x", "need each other"),
        ("evaluate DATA --output OUT --references x", "need each other"),
        ("evaluate DATA --output OUT --predictions x --references y", "neither data nor --model"),
        ("evaluate --output OUT --predictions x --references y --model MODEL", "neither data nor --model"),
        ("evaluate DATA --output OUT --samples 0", "1 … 1000, not 0"), ("evaluate DATA --output OUT --samples 1001", "1 … 1000, not 1001"),
        ("evaluate DATA --output OUT --fine-cutoff 1", "more than 1 and at most 100 arcsec, not 1.0"),
        ("evaluate DATA --output OUT --fine-cutoff nan", "--fine-cutoff"), ("evaluate DATA --output OUT --fine-order 0", "1 … 20, not 0"),
        ("finetune DATA --output OUT", "no model is named"), ("train DATA --output OUT", "no model is named"),
        ("train DATA --output OUT --model ldm --preset paper", "f = 8"), ("train DATA --output OUT --model ddpm --autoencoder x", "works on pixels"),
        ("train DATA --output OUT --model vqgan --steps 1 --epochs 1", "exclude each other"),
        ("train DATA --output OUT --model vqgan --preset tiny --autoencoder MODEL", "autoencoder"), ("trian DATA", "trian"),
    ]) func usage(_ line: String, _ word: String) throws {
        try withFolder { folder in
            expectRefusal(try run(line, in: folder), 64, [word], output: folder)
        }
    }

    /// What can stand in a configuration file is refused as configuration, wherever it stands.
    @Test(arguments: [
        ("--steps 0", "steps"), ("--steps 9223372036854775807", "steps"), ("--epochs 9223372036854775807", "epochs"),
        ("--batch-size 0", "batch-size"),
        ("--accumulate 9223372036854775807", "accumulate"), ("--overfit 100000000000", "overfit"), ("--crop-size 30", "crop-size"),
        ("--learning-rate nan", "learning-rate"), ("--max-hours nan", "max-hours"), ("--clip-norm nan", "clip-norm"), ("--ema-decay 1", "ema-decay"),
    ]) func trainingValues(_ options: String, _ key: String) throws {
        try withFolder { folder in
            let result = try run("train DATA --model vqgan --preset tiny --output OUT \(options)", in: folder)
            expectRefusal(result, 78, ["\(key) is not valid", "expected", "found"], output: folder)
        }
    }

    @Test(arguments: [
        ("stepz: 5", "did you mean steps?"), ("- a\n- list", "not a mapping"), ("steps: [1, 2", "not YAML"), ("steps: 1\nsteps: 2", "not YAML"),
    ]) func configurationFiles(_ text: String, _ word: String) throws {
        for line in ["infer DATA --output OUT", "evaluate DATA --output OUT", "train DATA --model vqgan --preset tiny --output OUT"] {
            try withFolder { folder in
                try Data((text + "\n").utf8).write(to: folder.appendingPathComponent("c.yaml"))
                let result = try run("\(line) --config CONFIG", in: folder)
                expectRefusal(result, 78, ["c.yaml", word])
                #expect(files(under: folder) == ["c.yaml"])
            }
        }
        try withFolder { folder in
            expectRefusal(try run("infer DATA --output OUT --config CONFIG", in: folder), 66, ["c.yaml", "there is no such file"], output: folder)
        }
    }

    @Test(arguments: [
        ("quiet: 1", "quiet is neither on nor off"), ("quiet: \"no\"", "quiet is neither on nor off"), ("overwrite: [true]", "overwrite is neither"),
        ("model: null", "model is not text"), ("model:", "model is not text"), ("seed: {a: b}", "seed is not text"),
        ("seed: [[1]]", "seed is not text"),
    ]) func entriesOfAnotherKind(_ text: String, _ word: String) throws {
        try withFolder { folder in
            try Data((text + "\n").utf8).write(to: folder.appendingPathComponent("c.yaml"))
            expectRefusal(try run("infer DATA --output OUT --config CONFIG", in: folder), 78, ["c.yaml", word])
            #expect(files(under: folder) == ["c.yaml"])
        }
    }

    @Test(arguments: [
        ("batch-size: many", "batch-size"), ("model: cnn", "expected vqgan"), ("normalization: {kind: linear, limit: -5}", "normalization.limit"),
        ("epochs: 2\nsteps: 3", "steps and epochs exclude each other"),
        ("autoencoder: {patch: 0, width: 8, multipliers: [1, 2], latent_channels: 4, codebook_size: 64, decodes_quantized: false}", "patch"),
        ("autoencoder: {patch: 2, width: -8, multipliers: [1, 2], latent_channels: 4, codebook_size: 64, decodes_quantized: false}", "width"),
        ("autoencoder: {patch: 2, width: 8, multipliers: [], latent_channels: 4, codebook_size: 64, decodes_quantized: false}", "multipliers"),
        ("network: {unet: {width: 8, multipliers: [1, 2, 2], heads: 0}}", "heads"),
        ("network: {unet: {width: 8, multipliers: [], heads: 4}}", "multipliers"),
        ("network: {unet: {width: 8, multipliers: [1, 2, 2], heads: 3}}", "heads"), ("network: {unet: {widht: 12}}", "network.unet.width?"),
    ]) func trainingConfigurations(_ text: String, _ word: String) throws {
        try withFolder { folder in
            try Data((text + "\n").utf8).write(to: folder.appendingPathComponent("c.yaml"))
            let kind = text.hasPrefix("network") ? "--model ldm-residual" : text.hasPrefix("model") ? "" : "--model vqgan"
            let result = try run("train DATA \(kind) --preset tiny --steps 1 --output OUT --config CONFIG", in: folder)
            expectRefusal(result, 78, [word])
            #expect(files(under: folder) == ["c.yaml"])
        }
    }

    /// Permissions do not bind the superuser, a file in the place of a folder does.
    @Test func unwritableOutputs() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let low = folder.appendingPathComponent("low.fits"), file = folder.appendingPathComponent("file")
            try TestMap.writeLow(to: low)
            try Data("kept".utf8).write(to: file)
            for output in [file, file.appendingPathComponent("below")] {
                let options = ["--output", output.path, "--no-progress"]
                let diffusion = ["--model", models.model.path, "--steps", "1"]
                expectRefusal(try sr(["infer", low.path] + diffusion + options), 73, [output.path])
                expectRefusal(try sr(["evaluate", models.maps.path, "--model", models.autoencoder.path] + options), 73, [output.path])
                expectRefusal(
                    try sr(["train", models.maps.path, "--model", "vqgan", "--preset", "tiny", "--steps", "1"] + options), 73, [output.path])
            }
            #expect(try Data(contentsOf: file) == Data("kept".utf8))
            #expect(files(under: folder) == ["file", "low.fits"])
        }
    }

    @Test func existingOutputs() throws {
        let models = try TinyModels.shared.get()
        try withFolder { folder in
            let low = folder.appendingPathComponent("low.fits"), output = folder.appendingPathComponent("out")
            try TestMap.writeLow(to: low)
            let infer = ["infer", low.path, "--model", models.model.path, "--steps", "1", "--output", output.path, "--quiet"]
            let evaluate = ["evaluate", models.maps.path, "--model", models.autoencoder.path, "--limit", "1", "--output", output.path, "--quiet"]
            for (command, name) in [(infer, "low_sr.fits"), (evaluate, "report.json")] {
                #expect(try sr(command).status == 0)
                let result = output.appendingPathComponent(name)
                try Data("kept".utf8).write(to: result)
                expectRefusal(try sr(command), 73, [result.path, "exists already", "--overwrite"])
                #expect(try Data(contentsOf: result) == Data("kept".utf8))
                #expect(try sr(command + ["--overwrite"]).status == 0)
                #expect(try Data(contentsOf: result).count > 1000)
            }
        }
    }
}
