using Ztunnel.Settings;

namespace Ztunnel.Tests.Deploy;

/// <summary>What kustomize renders is what istiod, the node agent, istioctl and dashboards rely on (istio-integration 1.1 to 1.5), in every overlay.</summary>
public sealed class DaemonSetContractTests
{
    private const string Pod = "spec|template|spec|";
    private const string Container = Pod + "containers|name=istio-proxy|";

    /// <summary>Where, what, and by which overlay it may be changed.</summary>
    private static readonly (string Path, string Expected)[] Contract =
    [
        // 1.1: identity
        ("metadata|name", "ztunnel"),
        ("metadata|namespace", "istio-system"),
        ("spec|selector", "{matchLabels: {app: ztunnel}}"),
        ("spec|template|metadata|labels|app", "ztunnel"),
        ("spec|template|metadata|labels|app.kubernetes.io/name", "ztunnel"),
        ("spec|template|metadata|labels|app.kubernetes.io/part-of", "istio"),
        ("spec|template|metadata|labels|sidecar.istio.io/inject", "false"),
        ("spec|template|metadata|labels|istio.io/dataplane-mode", "none"),
        ("spec|template|metadata|annotations", "{prometheus.io/port: 15020, prometheus.io/scrape: true, sidecar.istio.io/inject: false}"),
        (Container + "args", "[proxy, ztunnel]"),
        // 1.2: the pod
        (Pod + "hostNetwork", ""),
        (Pod + "hostPID", ""),
        (Pod + "nodeSelector", "{kubernetes.io/os: linux}"),
        (Pod + "tolerations", "[{effect: NoSchedule, operator: Exists}, {key: CriticalAddonsOnly, operator: Exists}, {effect: NoExecute, operator: Exists}]"),
        (Pod + "priorityClassName", "system-node-critical"),
        (Pod + "terminationGracePeriodSeconds", "30"),
        (Pod + "serviceAccountName", "ztunnel"),
        (Pod + "dnsPolicy", ""),
        ("spec|updateStrategy", "{rollingUpdate: {maxSurge: 1, maxUnavailable: 0}, type: RollingUpdate}"),
        (Container + "ports", "[{containerPort: 15020, name: ztunnel-stats, protocol: TCP}]"),
        (Container + "readinessProbe", "{httpGet: {path: /healthz/ready, port: 15021}}"),
        (Container + "livenessProbe", ""),
        (Container + "startupProbe", ""),
        (Container + "resources|limits", ""),
        (Container + "securityContext|allowPrivilegeEscalation", "true"),
        (Container + "securityContext|privileged", "false"),
        (Container + "securityContext|capabilities|drop", "[ALL]"),
        (Container + "securityContext|capabilities|add", "[NET_ADMIN, SYS_ADMIN, NET_RAW]"),
        (Container + "securityContext|readOnlyRootFilesystem", "true"),
        (Container + "securityContext|runAsUser", "0"),
        (Container + "securityContext|runAsGroup", "1337"),
        (Container + "securityContext|runAsNonRoot", "false"),
        // 1.3: the environment
        (Env("CA_ADDRESS"), "istiod.istio-system.svc:15012"),
        (Env("XDS_ADDRESS"), "istiod.istio-system.svc:15012"),
        (Env("RUST_LOG"), "info"),
        (Env("ISTIO_META_CLUSTER_ID"), "Kubernetes"),
        (Env("ISTIO_META_ENABLE_HBONE"), "true"),
        (Env("INPOD_ENABLED"), "true"),
        (Env("TERMINATION_GRACE_PERIOD_SECONDS"), "30"),
        (FieldRef("POD_NAME"), "metadata.name"),
        (FieldRef("POD_NAMESPACE"), "metadata.namespace"),
        (FieldRef("NODE_NAME"), "spec.nodeName"),
        (FieldRef("INSTANCE_IP"), "status.podIP"),
        (FieldRef("SERVICE_ACCOUNT"), "spec.serviceAccountName"),
        (Container + "env|name=ZTUNNEL_CPU_LIMIT|valueFrom|resourceFieldRef", "{divisor: 1, resource: limits.cpu}"),
        (Container + "env|name=ZTUNNEL_RESOURCE_CPU_REQUEST|valueFrom|resourceFieldRef", "{divisor: 1, resource: requests.cpu}"),
        // 1.4: volumes
        (Mount("/var/run/secrets/istio"), "istiod-ca-cert"),
        (Mount("/var/run/secrets/tokens"), "istio-token"),
        (Mount("/var/run/ztunnel"), "cni-ztunnel-sock-dir"),
        (Mount("/tmp"), "tmp"),
        (Pod + "volumes|name=istio-token|projected|sources", "[{serviceAccountToken: {audience: istio-ca, expirationSeconds: 43200, path: istio-token}}]"),
        (Pod + "volumes|name=cni-ztunnel-sock-dir|hostPath", "{path: /var/run/ztunnel, type: DirectoryOrCreate}"),
        (Pod + "volumes|name=tmp|emptyDir", "{}"),
    ];

    /// <summary>What an overlay or component is there for.</summary>
    private static readonly (string Overlay, string Path, string Expected)[] Purposes =
    [
        ("base", Container + "resources|requests", "{cpu: 200m, memory: 512Mi}"),
        ("base", Pod + "volumes|name=istiod-ca-cert|configMap", "{name: istio-ca-root-cert}"),
        ("overlays/kind", Container + "resources|requests", "{cpu: 50m, memory: 64Mi}"),
        ("overlays/kind", Container + "image", "localhost/ztunnel-dotnet:dev"),
        ("overlays/kind", Container + "imagePullPolicy", "IfNotPresent"),
        ("overlays/tproxy", Env("ENABLE_ORIG_SRC"), "true"),
        ("overlays/redirect", Env("ENABLE_ORIG_SRC"), "false"),
        ("overlays/pqc", Env("COMPLIANCE_POLICY"), "pqc"),
        ("overlays/everything", Pod + "volumes|name=istiod-ca-cert|projected|sources", "[{clusterTrustBundle: {name: istio.io:istiod-ca:root-cert, path: root-cert.pem}}]"),
        ("overlays/everything", Pod + "volumes|name=istiod-ca-cert|configMap", ""),
        ("overlays/everything", Env("CRL_PATH"), "/var/run/secrets/istio/crl/ca-crl.pem"),
        ("overlays/everything", Container + "volumeMounts|mountPath=/var/run/secrets/istio/crl", "{mountPath: /var/run/secrets/istio/crl, name: istio-ca-crl, readOnly: true}"),
        ("overlays/everything", Pod + "volumes|name=istio-ca-crl|configMap", "{name: istio-ca-crl, optional: true}"),
        ("overlays/everything", Container + "securityContext|seLinuxOptions", "{type: spc_t}"),
    ];

    public static TheoryData<string> Overlays() => [.. Manifest.Overlays];

    [KustomizeTheory]
    [MemberData(nameof(Overlays))]
    public void DaemonSet_EveryFieldOfTheContract_IsAsWritten(string overlay)
    {
        Manifest daemonSet = DaemonSet(Manifest.Render(overlay));

        string[] broken =
        [
            .. Contract.Concat(Purposes.Where(purpose => purpose.Overlay == overlay).Select(static purpose => (purpose.Path, purpose.Expected)))
                .Where(row => daemonSet.Field(row.Path) != row.Expected)
                .Select(row => $"{row.Path}: expected {row.Expected}, rendered {daemonSet.Field(row.Path)}"),
        ];

        Assert.True(broken.Length == 0, string.Join('\n', broken));
        Assert.Contains(Purposes, purpose => purpose.Overlay == overlay);
    }

    [KustomizeTheory]
    [MemberData(nameof(Overlays))]
    public void DaemonSet_MountsAndReferences_Exist(string overlay)
    {
        IReadOnlyList<Manifest> objects = Manifest.Render(overlay);
        Manifest daemonSet = DaemonSet(objects);

        Assert.All(daemonSet.List(Container + "volumeMounts"), mount => Assert.NotEqual("", daemonSet.Field($"{Pod}volumes|name={mount.Field("name")}")));
        Assert.Contains(objects, static item => item is { Kind: "ServiceAccount", Name: "ztunnel" });
        Assert.Contains(objects, item => item.Kind == "ConfigMap" && item.Name == daemonSet.Field(Container + "envFrom|0|configMapRef|name"));
        Assert.All(objects.Where(static item => item.Kind is not ("ClusterRole" or "ClusterRoleBinding")), static item => Assert.Equal("istio-system", item.Field("metadata|namespace")));
    }

    [KustomizeTheory]
    [MemberData(nameof(Overlays))]
    public void Variables_OfTheManifest_AreSettings(string overlay)
    {
        IEnumerable<string> names = DaemonSet(Manifest.Render(overlay)).List(Container + "env").Select(static variable => variable.Field("name"));

        string[] unknown = [.. names.Where(static name => !IsSetting(name))];

        Assert.True(unknown.Length == 0, $"no such setting: {string.Join(", ", unknown)}; `ztunnel help settings` lists them");
    }

    [KustomizeFact]
    public void Settings_AllOfThem_AreInTheManifestOrItsSettingsFile()
    {
        HashSet<string> offered = [.. DaemonSet(Manifest.Render("base")).List(Container + "env").Select(static variable => variable.Field("name"))];
        offered.UnionWith(File.ReadLines(Path.Combine(Manifest.Folder, "daemonset", "base", "settings.env")).Where(static line => line.Contains('=')).Select(static line => line.TrimStart('#').Split('=')[0]));
        // Kubernetes sets the first itself; the second comes with charts only.
        string[] missing = [.. SettingCatalogue.All.Where(static entry => !entry.IsPrefix && entry.Name is not ("KUBERNETES_SERVICE_HOST" or "RUST_BACKTRACE")).Select(static entry => entry.Name).Where(name => !offered.Contains(name))];

        Assert.True(missing.Length == 0, $"settings that deploy/daemonset does not offer: {string.Join(", ", missing)}; run SettingsPageTests with ZTUNNEL_WRITE_PAGES=1");
    }

    [Fact]
    public void SettingsFile_EveryLineUncommented_IsReadWithoutMistake()
    {
        (string Name, string Value)[] variables =
        [
            .. File.ReadLines(Path.Combine(Manifest.Folder, "daemonset", "base", "settings.env"))
                .Where(static line => line.StartsWith('#') && !line.StartsWith("# ", StringComparison.Ordinal) && !line.EndsWith('='))
                .Select(static line => line[1..].Split('=', 2)).Select(static pair => (pair[0], pair[1])),
        ];

        Assert.True(variables.Length > 20);
        Ztunnel.Tests.Settings.TestSource.Read(variables);
    }

    [KustomizeFact]
    public void Rights_InTheCluster_AreNoneButOpenShifts()
    {
        foreach (string overlay in Manifest.Overlays)
        {
            string[] rights = [.. Manifest.Render(overlay).Where(static item => item.Kind.Contains("Role", StringComparison.Ordinal)).Select(static item => item.Field("rules") + item.Field("roleRef|name"))];
            string[] expected = overlay == "overlays/everything"
                ? ["[{apiGroups: [security.openshift.io], resourceNames: [privileged], resources: [securitycontextconstraints], verbs: [use]}]", "ztunnel"]
                : [];

            Assert.Equal(expected, rights);
        }
    }

    [KustomizeFact]
    public void Components_PolicyMonitorAndQuota_AreThoseOfTheContract()
    {
        IReadOnlyList<Manifest> objects = Manifest.Render("overlays/everything");
        Manifest policy = objects.Single(static item => item.Kind == "NetworkPolicy");
        Manifest monitor = objects.Single(static item => item.Kind == "PodMonitor");
        Manifest quota = objects.Single(static item => item.Kind == "ResourceQuota");

        Assert.Equal(
            ["TCP 15000", "TCP 15001", "TCP 15006", "TCP 15008", "TCP 15020", "TCP 15021", "TCP 15053", "UDP 15053"],
            policy.List("spec|ingress|0|ports").Select(static port => $"{port.Field("protocol")} {port.Field("port")}").Order(StringComparer.Ordinal));
        Assert.Equal("[{}]", policy.Field("spec|egress"));
        Assert.Equal("{matchLabels: {app: ztunnel}}", policy.Field("spec|podSelector"));
        Assert.Equal("ztunnel-stats", monitor.Field("spec|podMetricsEndpoints|0|port"));
        Assert.Equal("{matchLabels: {app: ztunnel}}", monitor.Field("spec|selector"));
        Assert.Equal("5000", quota.Field("spec|hard|pods"));
        Assert.Equal("[{operator: In, scopeName: PriorityClass, values: [system-node-critical]}]", quota.Field("spec|scopeSelector|matchExpressions"));
    }

    internal static bool IsSetting(string name) =>
        SettingCatalogue.All.Any(entry => entry.IsPrefix ? name.StartsWith(entry.Name, StringComparison.Ordinal) && name.Length > entry.Name.Length : entry.Name == name);

    private static Manifest DaemonSet(IReadOnlyList<Manifest> objects) => objects.Single(static item => item.Kind == "DaemonSet");

    private static string Env(string name) => $"{Container}env|name={name}|value";

    private static string FieldRef(string name) => $"{Container}env|name={name}|valueFrom|fieldRef|fieldPath";

    private static string Mount(string path) => $"{Container}volumeMounts|mountPath={path}|name";
}
