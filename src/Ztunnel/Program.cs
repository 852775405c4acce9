return await Ztunnel.Commands.CommandLine.RunAsync(args);
