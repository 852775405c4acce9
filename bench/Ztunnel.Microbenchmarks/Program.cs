using System.Globalization;
using System.Runtime.CompilerServices;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Ztunnel.Microbenchmarks;
using Ztunnel.Microbenchmarks.Brief;
using Ztunnel.Microbenchmarks.Scale;

// `--allocations FILE [--update]` checks or writes the allocation baselines; everything else is BenchmarkDotNet's command line (`--filter '*'`).
if (args.Length >= 2 && args[0] == "--allocations")
{
    return await AllocationCheck.RunAsync(args[1], update: args.Contains("--update"));
}

// `--scale N` measures a mesh of N workloads.
if (args is ["--scale", var workloads])
{
    return ScaleRun.Run(int.Parse(workloads, CultureInfo.InvariantCulture));
}

// `--brief [PART OF A NAME]`: the same benchmarks without BenchmarkDotNet; the only way when compiled ahead of time.
if (args is ["--brief", ..] || !RuntimeFeature.IsDynamicCodeSupported)
{
    return await BriefRun.PrintAsync(args.ElementAtOrDefault(1));
}

// Inside this process: it already has the settings of the product (workstation, non-concurrent collector), and BenchmarkDotNet's own project would not find this repository's output folders.
IConfig config = DefaultConfig.Instance.AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).AsDefault());
return BenchmarkSwitcher.FromAssembly(typeof(AllocationCheck).Assembly).Run(args, config).All(static summary => !summary.HasCriticalValidationErrors) ? 0 : 1;
